import { spawnSync } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/**
 * The command that starts a program so that the system itself kills it when this process ends for any reason, even while the program is
 * suspended. Only Linux can do that; elsewhere it is the command itself, as for a program that can't be found, whose error is the better one.
 * @param path the PATH on which the program is looked for
 */
export function endingWithParent(command: readonly [string, ...string[]], path = ''): readonly [string, ...string[]] {
  const [file] = command
  return setpriv() !== undefined && isExecutable(file, path)
    ? [setpriv() as string, '--pdeathsig', 'KILL', '--', ...command]
    : command
}

let found: { readonly file: string | undefined } | undefined

/** The program of util-linux 2.33 (2018) and later, if this system has it. */
function setpriv(): string | undefined {
  found ??= { file: probe() }
  return found.file
}

function probe(): string | undefined {
  if (process.platform !== 'linux') return undefined
  const { status } = spawnSync('setpriv', ['--pdeathsig', 'KILL', '--', 'true'], { stdio: 'ignore', timeout: 5000 })
  return status === 0 ? 'setpriv' : undefined
}

function isExecutable(file: string, path: string): boolean {
  const candidates = file.includes('/') ? [file] : path.split(delimiter).map((folder) => join(folder, file))
  return candidates.some((candidate) => {
    try {
      accessSync(candidate, constants.X_OK)
      return statSync(candidate).isFile()
    } catch {
      return false
    }
  })
}
