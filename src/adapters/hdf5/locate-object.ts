import { ConfigError } from '../../core/errors.ts'
import type { ExternalFiles } from '../files/external-files.ts'
import { withBytes } from '../ranges/absent-bytes.ts'
import { showDatasets } from './hdf5-entries.ts'
import { type FileAccess, Hdf5File, type Hdf5Kind } from './hdf5-file.ts'
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
export async function locateObject(container: string, inner: string, access: FileAccess, hops = 0): Promise<Location> {
  if (hops > MAX_HOPS) {
    throw new ConfigError(
      'NO_SUCH_DATASET',
      `"${inner}" in "${container}" follows more than ${MAX_HOPS} links; check them for a cycle.`,
    )
  }
  const file = await Hdf5File.open(container, access)
  try {
    const names = splitPath(inner)
    for (const depth of names.keys()) {
      const step = await withBytes(() => stepInto(file, names, depth, access.external))
      if (step === 'here') continue
      const { link, inner: target } = step
      return await follow(link, step.container, target, access, hops)
    }
    const path = names.join('/')
    const kind = await withBytes(() => file.kindOf(path))
    return { file: file.retain(), path, kind }
  } finally {
    file.release()
  }
}

/** Where a name of a path leads: to an object of this file, or by a link to another path. @throws ConfigError */
function stepInto(
  file: Hdf5File,
  names: readonly string[],
  depth: number,
  external: ExternalFiles,
): 'here' | { readonly link: string; readonly container: string; readonly inner: string } {
  const parent = names.slice(0, depth).join('/')
  const name = names[depth] as string
  const path = names.slice(0, depth + 1).join('/')
  if (file.kindOf(parent) !== 'group' || !file.childrenOf(parent).includes(name)) {
    throw missing(file, path, names.join('/'))
  }
  const rest = names.slice(depth + 1)
  const soft = file.softLinkOf(path)
  if (soft !== undefined) {
    const inner = [...(soft.startsWith('/') ? [] : splitPath(parent)), ...splitPath(soft), ...rest].join('/')
    return { link: `the soft link "${path}"`, container: file.container, inner }
  }
  const link = file.externalLinkOf(path)
  if (link === undefined) return 'here'
  const container = linkedFile(file, link.file, path, external)
  return { link: `the external link "${path}"`, container, inner: [...splitPath(link.path), ...rest].join('/') }
}

/** @throws ConfigError `NO_SUCH_FILE` */
function linkedFile(file: Hdf5File, name: string, path: string, external: ExternalFiles): string {
  const found = namedFile(file.container, name, external, `"${file.path}/${path}"`)
  if (found !== undefined) return found
  throw new ConfigError(
    'NO_SUCH_FILE',
    `"${path}" in "${file.path}" is an external link to the HDF5 file "${name}", which is neither there nor beside "${file.path}"; restore it.`,
  )
}

async function follow(
  link: string,
  container: string,
  inner: string,
  access: FileAccess,
  hops: number,
): Promise<Location> {
  try {
    return await locateObject(container, inner, access, hops + 1)
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
