import { existsSync, realpathSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { quoteShell } from '../core/shell-words.ts'
import { PACKAGE_ROOT } from '../runtime/package-place.ts'

/** The file of the command `bellis`. */
export const OWN_PROGRAM = fileURLToPath(new URL('bin/bellis.js', PACKAGE_ROOT))
/** Where npx keeps the packages that it installs for one call. */
const NPX_CACHE = /[\\/]_npx[\\/]/

/**
 * A call of this Bellis to print, which runs if it is pasted into a shell in the working directory: `bellis` if it is on the PATH,
 * `npx bellis` in a project or a checkout that has it, otherwise the path of the program.
 * @param words the command and its arguments, not yet quoted
 */
export const ownCommand = (...words: readonly string[]): string => [programName(), ...words.map(quoteShell)].join(' ')

function programName(): string {
  const folders = (process.env.PATH ?? '').split(delimiter)
  // The command that pip has installed, which sets this.
  const launcher = process.env.BELLIS_LAUNCHER
  if (launcher) return folders.includes(dirname(launcher)) ? 'bellis' : quoteShell(launcher)
  // npx and npm scripts put these on the PATH of what they start; in the user's shell they are not.
  const isOfNpm = (folder: string) => folder.endsWith(join('node_modules', '.bin'))
  if (folders.some((folder) => !isOfNpm(folder) && hasOwnProgram(folder))) return 'bellis'
  const ofNpx = folders.filter((folder) => NPX_CACHE.test(folder))
  if ([...ofNpx, ...projectFolders(process.cwd())].some(hasOwnProgram)) return 'npx bellis'
  return `${quoteShell(process.execPath)} ${quoteShell(OWN_PROGRAM)}`
}

/** The folders in which npx looks for the commands of a project. */
const projectFolders = (folder: string): string[] => [
  join(folder, 'node_modules', '.bin'),
  ...(dirname(folder) === folder ? [] : projectFolders(dirname(folder))),
]

function hasOwnProgram(folder: string): boolean {
  // npm writes a script there instead of a link.
  if (process.platform === 'win32') return existsSync(join(folder, 'bellis.cmd'))
  try {
    return realpathSync(join(folder, 'bellis')) === realpathSync(OWN_PROGRAM)
  } catch {
    return false
  }
}
