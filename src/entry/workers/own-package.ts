import { existsSync, statSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ConfigError } from '../../core/errors.ts'
import { PACKAGE_ROOT } from '../../runtime/package-place.ts'

/** The packages that a task's file may import although nothing is installed in its folder. */
const OWN = /^(bellis|zod)(\/|$)/
let isOffered = false

/**
 * Lets files in any folder import this Bellis and its Zod, from now on, in this thread. Installed packages take precedence.
 */
export function offerOwnPackage(): void {
  if (isOffered) return
  isOffered = true
  registerHooks({
    resolve: (specifier, context, next) => {
      try {
        return next(specifier, context)
      } catch (error) {
        const isMissing = (error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND'
        if (!isMissing || !OWN.test(specifier)) throw error
        return next(specifier, { ...context, parentURL: PACKAGE_ROOT })
      }
    },
  })
}

/**
 * Finds the URL of a module that a user names: a file, or a module of a package that is installed in `folder` or above it.
 * @throws ConfigError `NO_SUCH_FILE`
 */
export function findModule(name: string, folder: string): string {
  const path = resolve(folder, name)
  if (existsSync(path)) {
    if (statSync(path).isFile()) return pathToFileURL(path).href
    throw new ConfigError('NO_SUCH_FILE', `${name} is a folder; give the file in it that exports the task.`)
  }
  if (/^\.{0,2}\//.test(name)) throw new ConfigError('NO_SUCH_FILE', `There is no file ${name}.`)
  try {
    return resolveFrom(name, pathToFileURL(join(folder, '/')).href)
  } catch (error) {
    throw new ConfigError(
      'NO_SUCH_FILE',
      `There is neither a file nor an installed package named ${name}: ${(error as Error).message.split('\n', 1)[0]}.`,
      { cause: error },
    )
  }
}

/** Resolves a name as an `import` in another module would. @param parentURL of that module */
function resolveFrom(specifier: string, parentURL: string): string {
  const hooks = registerHooks({ resolve: (name, context, next) => next(name, { ...context, parentURL }) })
  try {
    return import.meta.resolve(specifier)
  } finally {
    hooks.deregister()
  }
}
