import { existsSync } from 'node:fs'
import { ConfigError } from '../../core/errors.ts'
import { type ExternalFiles, numberedFiles, rawFile, sourceFile } from './external-files.ts'
import { type Location, locateObject, MAX_HOPS } from './locate-object.ts'
import { externalFileNames } from './object-header.ts'

/**
 * Checks where the voxels of a dataset come from, if not from its own file. HDF5 itself reads the fill value, and says nothing, for
 * a source of a virtual dataset that is missing, and reads any file that is named.
 * @param path as users write it
 * @throws ConfigError `NO_SUCH_FILE`, `NO_SUCH_DATASET`, `UNSUPPORTED`
 */
export async function assertSources(
  path: string,
  location: Location,
  external: ExternalFiles,
  depth = 0,
): Promise<void> {
  const { file, path: real } = location
  for (const name of file.inspectHeader(real, externalFileNames)) {
    external.assertAllowed(rawFile(name), `"${path}" has its voxels in another file, which`)
    if (existsSync(rawFile(name))) continue
    throw new ConfigError(
      'NO_SUCH_FILE',
      `"${path}" has its voxels in the file "${name}", which is missing; restore it.`,
    )
  }
  const { virtual_sources: sources = [] } = file.call((hdf5, id) => hdf5.get_dataset_metadata(id, `/${real}`))
  if (sources.length > 0 && depth === MAX_HOPS) {
    throw new ConfigError(
      'UNSUPPORTED',
      `"${path}" is a virtual dataset of more than ${MAX_HOPS} others, one in the other.`,
    )
  }
  const seen = new Set<string>()
  for (const { file_name: name, dset_name: dataset } of sources) {
    const key = JSON.stringify([name, dataset])
    if (seen.has(key)) continue
    seen.add(key)
    await assertSource(path, location, { name, dataset }, external, depth)
  }
}

interface Source {
  readonly name: string
  readonly dataset: string
}

async function assertSource(
  path: string,
  { file }: Location,
  { name, dataset }: Source,
  external: ExternalFiles,
  depth: number,
): Promise<void> {
  const what = `"${path}" is a virtual dataset, and its source`
  // "%b" counts up names that need not be there.
  if (name.includes('%b')) {
    for (const each of numberedFiles(file.path, name)) external.assertAllowed(each, what)
    return
  }
  // "." is the file itself.
  const container = name === '.' ? file.path : sourceFile(file.path, name)
  if (container === undefined) {
    throw new ConfigError('NO_SUCH_FILE', `${what} file "${name}" is missing; restore it.`)
  }
  if (name !== '.') external.assertAllowed(container, what)
  if (dataset.includes('%b')) return
  const source = await locateSource(what, container, dataset, external)
  try {
    if (source.kind !== 'array')
      throw new ConfigError('NO_SUCH_DATASET', `${what} "${dataset}" in "${container}" is not a dataset.`)
    await assertSources(path, source, external, depth + 1)
  } finally {
    source.file.release()
  }
}

async function locateSource(
  what: string,
  container: string,
  dataset: string,
  external: ExternalFiles,
): Promise<Location> {
  try {
    return await locateObject(container, dataset, external)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new ConfigError(error.code, `${what} can't be read: ${error.message}`, { cause: error })
  }
}
