import { ConfigError } from '../../core/errors.ts'
import type { ExternalFiles } from '../files/external-files.ts'
import { showDatasets } from './hdf5-entries.ts'
import { Hdf5File, type Hdf5Kind } from './hdf5-file.ts'
import { namedFile } from './named-files.ts'

/** How many links are followed in succession; the same limit as HDF5's. */
export const MAX_HOPS = 16

/** An object of a file, with all links resolved. The caller counts as a user of the file and has to release it. */
export interface Location {
  readonly file: Hdf5File
  readonly path: string
  readonly kind: Hdf5Kind
}

/**
 * Finds `inner`, name by name, following soft and external links. The caller has to release the file.
 * @throws ConfigError `NO_SUCH_FILE`, `NO_SUCH_DATASET`, `UNSUPPORTED` for a link to an external file that is not allowed; and what opening throws
 */
export async function locateObject(
  container: string,
  inner: string,
  external: ExternalFiles,
  hops = 0,
): Promise<Location> {
  if (hops > MAX_HOPS) {
    throw new ConfigError(
      'NO_SUCH_DATASET',
      `"${inner}" in "${container}" follows more than ${MAX_HOPS} links; check them for a cycle.`,
    )
  }
  const file = await Hdf5File.open(container)
  try {
    const names = splitPath(inner)
    let path = ''
    for (const [depth, name] of names.entries()) {
      const parent = path
      path = parent === '' ? name : `${parent}/${name}`
      if (file.kindOf(parent) !== 'group' || !file.childrenOf(parent).includes(name)) throw missing(file, path, inner)
      const rest = names.slice(depth + 1)
      const soft = file.softLinkOf(path)
      if (soft !== undefined) {
        const target = [...(soft.startsWith('/') ? [] : splitPath(parent)), ...splitPath(soft), ...rest].join('/')
        return await follow(`the soft link "${path}"`, container, target, external, hops)
      }
      const link = file.externalLinkOf(path)
      if (link !== undefined) {
        const target = linkedFile(file.path, link.file, path, external)
        return await follow(
          `the external link "${path}"`,
          target,
          [...splitPath(link.path), ...rest].join('/'),
          external,
          hops,
        )
      }
    }
    return { file: file.retain(), path, kind: file.kindOf(path) }
  } finally {
    file.release()
  }
}

/** @throws ConfigError `NO_SUCH_FILE` */
function linkedFile(file: string, name: string, path: string, external: ExternalFiles): string {
  const found = namedFile(file, name, external, `"${file}/${path}"`)
  if (found !== undefined) return found
  throw new ConfigError(
    'NO_SUCH_FILE',
    `"${path}" in "${file}" is an external link to the HDF5 file "${name}", which is neither there nor beside "${file}"; restore it.`,
  )
}

async function follow(
  link: string,
  container: string,
  inner: string,
  external: ExternalFiles,
  hops: number,
): Promise<Location> {
  try {
    return await locateObject(container, inner, external, hops + 1)
  } catch (error) {
    // Name only the first link: it is the one that the caller wrote.
    if (hops > 0 || !(error instanceof ConfigError)) throw error
    throw new ConfigError(error.code, `${error.message} (by ${link})`, { cause: error })
  }
}

/** The names in "/a//b/" or "./a/b"; HDF5 has no "..". */
const splitPath = (path: string): string[] => path.split('/').filter((name) => name !== '' && name !== '.')

function missing(file: Hdf5File, path: string, wanted: string): ConfigError {
  return new ConfigError(
    'NO_SUCH_DATASET',
    `"${file.path}" has no "${path}"${path === wanted ? '' : ` (looking for "${wanted}")`}; ${showDatasets(file, '')}.`,
  )
}
