import { dirname, resolve } from 'node:path'
import { ConfigError } from '../../core/errors.ts'
import { addressFolder, isAddress, splitQuery } from '../../core/text/address.ts'
import { liesBelow, placeOf } from './open-file.ts'
import { realPath } from './real-path.ts'

/**
 * Other files that a file may name, such as those behind links, and those that have its voxels. They have to lie in the folder of the
 * file that the user named, or below it: a file from somebody else must not read anything else of this machine.
 */
export class ExternalFiles {
  readonly #folders: readonly string[] | undefined
  /** Of a file behind an address. */
  readonly #isAddress: boolean
  /** The same for all that allow the same files. */
  readonly key: string

  /**
   * @param container the file, or the folder of files, that the user named; undefined allows all files
   * @param options.isFolder @default false
   */
  constructor(container: string | undefined, { isFolder = false }: { readonly isFolder?: boolean } = {}) {
    this.#isAddress = container !== undefined && isAddress(container)
    this.#folders = container === undefined ? undefined : foldersOf(container, isFolder)
    this.key = JSON.stringify(this.#folders ?? 'all')
  }

  allows(path: string): boolean {
    if (this.#folders === undefined) return true
    // An address leads to no file of this machine, and no file to an address.
    if (this.#isAddress !== isAddress(path)) return false
    if (this.#isAddress) return this.#folders.some((folder) => splitQuery(path).place.startsWith(folder))
    const real = realPath(path)
    return this.#folders.some((folder) => liesBelow(real, folder))
  }

  /**
   * Whether an open file lies where it may: since its path was looked at, a link may have been put there. Elsewhere than on Linux, that is
   * not known.
   */
  holds(file: number): boolean {
    const place = this.#folders === undefined ? undefined : placeOf(file)
    return place === undefined || (this.#folders?.some((folder) => liesBelow(place, folder)) ?? true)
  }

  /**
   * @param what for the message: 'the external link "x"'
   * @throws ConfigError `UNSUPPORTED` for a file that lies elsewhere
   */
  assertAllowed(path: string, what: string): void {
    if (!this.allows(path)) throw elsewhere(path, what)
  }

  /** The same for an open file. */
  assertHolds(file: number, path: string, what: string): void {
    if (!this.holds(file)) throw elsewhere(path, what)
  }
}

function foldersOf(container: string, isFolder: boolean): readonly string[] {
  if (isAddress(container)) return [addressFolder(container)]
  if (isFolder) return [realPath(container)]
  // The folder of the name and that of the file behind it, if the name is a symbolic link.
  return [realPath(dirname(resolve(container))), dirname(realPath(container))]
}

const elsewhere = (path: string, what: string): ConfigError =>
  new ConfigError(
    'UNSUPPORTED',
    `${what} leads to "${path}", outside the folder of the file; if you trust the file, allow that with --allow-external.`,
  )
