import { existsSync, readdirSync, realpathSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, resolve, sep } from 'node:path'
import { ConfigError } from '../../core/errors.ts'

/**
 * Other files that an HDF5 file may name: behind external links, virtual datasets and external raw data. They have to lie in the folder
 * of the file that the user named, or below it: a file from somebody else must not read anything else of this machine.
 */
export class ExternalFiles {
  readonly #folders: readonly string[] | undefined

  /** @param container the file that the user named; undefined allows all files */
  constructor(container: string | undefined) {
    // The folder of the name and that of the file behind it, if the name is a symbolic link.
    this.#folders =
      container === undefined ? undefined : [realPath(dirname(resolve(container))), dirname(realPath(container))]
  }

  /**
   * @param what for the message: 'the external link "x"'
   * @throws ConfigError `UNSUPPORTED` for a file that lies elsewhere
   */
  assertAllowed(path: string, what: string): void {
    if (this.#folders === undefined) return
    const real = realPath(path)
    if (this.#folders.some((folder) => real.startsWith(folder.endsWith(sep) ? folder : folder + sep))) return
    throw new ConfigError(
      'UNSUPPORTED',
      `${what} leads to "${path}", outside the folder of the file; if you trust the file, allow that with --allow-external.`,
    )
  }
}

/** As far as the path exists. */
function realPath(path: string): string {
  const absolute = resolve(path)
  if (existsSync(absolute)) return realpathSync(absolute)
  const parent = dirname(absolute)
  return parent === absolute ? absolute : join(realPath(parent), absolute.slice(parent.length))
}

/**
 * The file that an external link or a source of a virtual dataset means, as HDF5 looks for it: an absolute name first as it is, then
 * only by its last part; then beside the file that names it, where this process runs, and beside the file that a symbolic link leads to.
 * The first that is there counts, even if it is no HDF5 file.
 * @param file that names the other one, as it was opened
 * @param what for the message
 * @returns undefined if there is none
 * @throws ConfigError `UNSUPPORTED` for a file that lies elsewhere
 */
export function namedFile(file: string, name: string, external: ExternalFiles, what: string): string | undefined {
  const path = resolve(file)
  const part = isAbsolute(name) ? basename(name) : name
  const beside = [dirname(path), process.cwd(), dirname(realPath(path))].map((folder) => join(folder, part))
  const places = [...(isAbsolute(name) ? [name] : []), ...beside]
  const found = places.find((place) => existsSync(place))
  // A file that is missing elsewhere is not told from one that is there: that is nobody's business.
  external.assertAllowed(found ?? (places[0] as string), what)
  return found
}

/** Where HDF5 looks for external raw data: where this process runs. */
export const rawFile = (name: string): string => resolve(name)

/** The files that a source's name with `%b` stands for. */
export function numberedFiles(file: string, name: string): string[] {
  const path = resolve(dirname(file), name)
  const [start = '', end = ''] = basename(path).split('%b')
  const folder = dirname(path)
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((entry) => entry.startsWith(start) && entry.endsWith(end))
    .map((entry) => join(folder, entry))
}
