import { dirname, resolve } from 'node:path'
import { ConfigError } from '../../core/errors.ts'
import { addressFolder, isAddress, splitQuery } from '../../core/text/address.ts'
import { liesBelow } from './open-file.ts'
import { realPath } from './real-path.ts'

/**
 * Other files that a file may name, such as those behind links, and those that have its voxels. They have to lie in the folder of the
 * file that the user named, or below it: a file from somebody else must not read anything else of this machine.
 */
export class ExternalFiles {
  readonly #folders: readonly string[] | undefined
  /** Of a file behind an address. */
  readonly #isAddress: boolean

  /**
   * @param container the file, or the folder of files, that the user named; undefined allows all files
   * @param options.isFolder @default false
   */
  constructor(container: string | undefined, { isFolder = false }: { readonly isFolder?: boolean } = {}) {
    this.#isAddress = container !== undefined && isAddress(container)
    if (container === undefined) return
    if (this.#isAddress) {
      this.#folders = [addressFolder(container)]
      return
    }
    // The folder of the name and that of the file behind it, if the name is a symbolic link.
    this.#folders = isFolder
      ? [realPath(container)]
      : [realPath(dirname(resolve(container))), dirname(realPath(container))]
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
   * @param what for the message: 'the external link "x"'
   * @throws ConfigError `UNSUPPORTED` for a file that lies elsewhere
   */
  assertAllowed(path: string, what: string): void {
    if (this.allows(path)) return
    throw new ConfigError(
      'UNSUPPORTED',
      `${what} leads to "${path}", outside the folder of the file; if you trust the file, allow that with --allow-external.`,
    )
  }
}
