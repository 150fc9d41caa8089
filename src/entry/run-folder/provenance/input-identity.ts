import { statSync } from 'node:fs'
import { join } from 'node:path'
import { slicesIn } from '../../../adapters/stack/stack-format.ts'
import { versionAt } from '../../../adapters/zarr/http/object-version.ts'
import { objectVersion } from '../../../adapters/zarr/objects/object-store.ts'
import { provenanceIn } from '../../../core/progress/array-provenance.ts'
import { isAddress } from '../../../core/text/address.ts'
import type { VolumeDescription } from '../../../runtime/volumes/volume-array.ts'
import { arrayStore, parseDatasetPath } from '../../arrays.ts'
import { readMark } from '../output-mark.ts'
import { fullPath } from './output-provenance.ts'

/** An array that a run reads, and what tells whether it has been replaced since. Its metadata is enough to know all of it. */
export interface InputAtStart {
  /** Absolute, or an address without its query. */
  readonly path: string
  readonly format: string
  readonly shape: readonly number[]
  readonly dtype: string
  /** Of the file; for a container in a folder, of the metadata. */
  readonly bytes?: number
  readonly modified?: string
  /** What the server calls the version of the metadata. */
  readonly version?: string
  /** The run that made it, and the id of its record. */
  readonly run?: string
  readonly record?: string
  /** When that run completed it, ISO; null if it had not. Missing if it does not say. */
  readonly completed?: string | null
  /** When its newest chunk was written, ISO; only if that was asked for. */
  readonly newestChunk?: string
}

/** What identity needs to know of an array. */
export type IdentifiedArray = Pick<VolumeDescription, 'path' | 'format' | 'shape' | 'dtype' | 'attributes'>

/** Files of metadata in the folder of an array. */
const METADATA: Readonly<Record<string, string>> = { zarr2: '.zarray', zarr3: 'zarr.json', n5: 'attributes.json' }
/** Files of voxels that belong to a header of the same name. */
const DATA_SUFFIXES = ['.raw', '.zraw', '.raw.gz', '.img', '.img.gz']
/** A server that takes longer does not hold up the start of a run. */
const VERSION_TIMEOUT_MS = 3000

/** The identity of an array as it is now. Reading it never fails; what can't be read is left out. */
export async function identityOfInput({
  path,
  format,
  shape,
  dtype,
  attributes,
}: IdentifiedArray): Promise<InputAtStart> {
  const mark = /^https?:/i.test(path) ? undefined : await readMark(path).catch(() => undefined)
  const made = provenanceIn(attributes)
  const record = mark?.id ?? made?.record
  const run = mark?.run ?? made?.run
  return {
    path: fullPath(path),
    format,
    shape,
    dtype,
    ...(await (isAddress(path) ? versionOf(path, format) : fileOf(path, format))),
    ...(run === undefined ? {} : { run }),
    ...(record === undefined ? {} : { record }),
    ...(made !== undefined && made.record === record ? { completed: made.ended ?? null } : {}),
  }
}

/**
 * The identity of an input of an earlier start, as it is now.
 * @returns undefined for an address, and if it can't be read
 */
export async function identityNow({ path, format, shape, dtype }: InputAtStart): Promise<InputAtStart | undefined> {
  if (isAddress(path)) return undefined
  try {
    // The files of other formats have no attributes of Bellis.
    if (!(format in METADATA) && format !== 'precomputed') {
      const file = fileOf(path, format)
      return file.modified === undefined ? undefined : { path, format, shape, dtype, ...file }
    }
    await using array = await arrayStore.open(path)
    return await identityOfInput(array)
  } catch {
    return undefined
  }
}

/** Whether an array is as it was. What only one of them tells does not count. */
export function isSameInput(before: InputAtStart, now: InputAtStart): boolean {
  const differs = (name: 'bytes' | 'modified' | 'version' | 'completed') =>
    before[name] !== undefined && now[name] !== undefined && before[name] !== now[name]
  if (before.dtype !== now.dtype || String(before.shape) !== String(now.shape)) return false
  // The metadata of an array of Bellis changes when its attributes do.
  if (before.record !== undefined || now.record !== undefined) {
    return before.record === now.record && !differs('completed')
  }
  return !differs('bytes') && !differs('modified') && !differs('version')
}

type FileIdentity = Pick<InputAtStart, 'bytes' | 'modified'>

/** Of the file, or of the metadata of a folder; of several files, their size together and the time of the newest. */
function fileOf(path: string, format: string): FileIdentity {
  try {
    const found = filesOf(path, format).flatMap((file) => statSync(file, { throwIfNoEntry: false }) ?? [])
    if (found.length === 0) return {}
    const modified = new Date(Math.max(...found.map(({ mtimeMs }) => mtimeMs))).toISOString()
    // A folder has no size.
    return { ...(format === 'precomputed' ? {} : { bytes: found.reduce((sum, { size }) => sum + size, 0) }), modified }
  } catch {
    return {}
  }
}

function filesOf(path: string, format: string): string[] {
  if (format === 'stack') return slicesIn(path)
  const { container } = parseDatasetPath(path)
  const isFolder = statSync(container).isDirectory()
  // "info" changes with every scale of the volume, the folder of a scale with its chunks.
  if (isFolder) return [format === 'precomputed' ? path : join(path, METADATA[format] ?? '')]
  return [container, ...DATA_SUFFIXES.map((suffix) => container.replace(/(\.nii)?\.\w+$/, suffix))]
}

async function versionOf(path: string, format: string): Promise<Pick<InputAtStart, 'version'>> {
  const key = format === 'precomputed' ? 'info' : METADATA[format]
  if (key === undefined) return {}
  const [, address = path, query = ''] = /^([^?]*)(\?.*)?$/.exec(path) ?? []
  const place = format === 'precomputed' ? parseDatasetPath(address).container : address
  const file = `${place.replace(/\/+$/, '')}/${key}`
  const signal = AbortSignal.timeout(VERSION_TIMEOUT_MS)
  const version = await (/^https?:/i.test(path) ? versionAt(file + query, signal) : objectVersion(file, signal)).catch(
    () => undefined,
  )
  return version === undefined ? {} : { version }
}
