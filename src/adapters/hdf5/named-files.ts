import { existsSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, resolve } from 'node:path'
import { addressBeside, isAddress } from '../../core/text/address.ts'
import type { ExternalFiles } from '../files/external-files.ts'
import { realPath } from '../files/real-path.ts'

/**
 * The file that an external link or a source of a virtual dataset means, as HDF5 looks for it: an absolute name first as it is, then
 * only by its last part; then beside the file that names it, where this process runs, and beside the file that a symbolic link leads to.
 * The first that is there counts, even if it is no HDF5 file. Behind an address, it is the one beside the file, which opening has to find.
 * @param file that names the other one, as it was opened
 * @param what for the message
 * @returns undefined if there is none
 * @throws ConfigError `UNSUPPORTED` for a file that lies elsewhere
 */
export function namedFile(file: string, name: string, external: ExternalFiles, what: string): string | undefined {
  if (isAddress(file)) {
    const found = addressBeside(file, name)
    external.assertAllowed(found, what)
    return found
  }
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

/** Whether the name of a source stands for many: `%b` counts up from 0. `%%` is a percent sign. */
export const isNumbered = (name: string): boolean => name.replaceAll('%%', '').includes('%b')

/** The name of a source, with its number. */
export const numberedName = (name: string, number: number): string =>
  name.replace(/%[b%]/g, (found) => (found === '%b' ? String(number) : '%'))
