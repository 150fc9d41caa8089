import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { bytesOf } from '../../../src/core/array/dtype.ts'
import { openArray } from '../../../src/entry/arrays.ts'
import type { Site } from './site.ts'

/** What an undisturbed start has made. */
export interface Result {
  readonly voxels: number
  /** For each output, the hash of all its voxels. */
  readonly hashes: Readonly<Record<string, string>>
  /** For each metadata file of the container, its content. */
  readonly metadata: Readonly<Record<string, string>>
}

/** Reads every voxel of the outputs, and all metadata. */
export async function readResult(site: Site): Promise<Result> {
  const { outputs } = site.setting.workload
  const hashes: Record<string, string> = {}
  let voxels = 0
  for (const name of outputs) {
    await using array = await openArray(join(site.results, name))
    const { data } = await array.read(array.roi)
    voxels += data.length
    hashes[name] = createHash('sha256').update(bytesOf(data)).digest('hex')
  }
  return { voxels, hashes, metadata: metadataIn(site.results) }
}

const METADATA = ['zarr.json', 'attributes.json', 'info']
/** Chunks of Zarr are in folders named c, blocks of N5 in folders named by their index. */
const IS_OF_CHUNKS = /^(c|\d+)$/

/** The files of the chunks of an array. */
export const chunksOf = (array: string): string[] =>
  namesIn(array)
    .filter((name) => !/(^|\/)\./.test(name) && !METADATA.includes(basename(name)))
    .map((name) => join(array, name))
    .filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile() ?? false)

/** The metadata, in whatever format the array is. Folders of chunks are not entered. */
function metadataIn(folder: string): Record<string, string> {
  const found: Record<string, string> = {}
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory() && !IS_OF_CHUNKS.test(entry.name)) {
      for (const [name, text] of Object.entries(metadataIn(path))) found[join(entry.name, name)] = text
    } else if (METADATA.includes(entry.name)) found[entry.name] = withoutTimes(readFileSync(path, 'utf8'))
  }
  return found
}

/** What made an array is the same each time, but not when, where and by which command. */
function withoutTimes(text: string): string {
  const isProvenance = (value: unknown): value is { task: unknown } =>
    typeof value === 'object' && value !== null && 'task' in value
  return JSON.stringify(JSON.parse(text), (name, value) =>
    name === 'bellis' && isProvenance(value) ? { task: value.task } : value,
  )
}

/** Describes each output and each metadata file that is not as it should be. */
export function differences(actual: Result, expected: Result): string[] {
  const names = (kind: 'hashes' | 'metadata') =>
    [...new Set([...Object.keys(expected[kind]), ...Object.keys(actual[kind])])].filter(
      (name) => actual[kind][name] !== expected[kind][name],
    )
  return [
    ...names('hashes').map((name) => `the voxels of ${name} are wrong`),
    ...names('metadata').map((name) => `the metadata in ${name} is ${actual.metadata[name] ?? 'missing'}`),
  ]
}

/** Files that a run removes at its end, and that are still there. @param isDiskHit whether its disk may have refused to remove them */
export function leftovers(site: Site, printed: string, isDiskHit: boolean): string[] {
  const found: string[] = []
  const folder = site.runFolder()
  for (const name of ['context', 'holder.json'])
    if (folder !== undefined && existsSync(join(folder, name))) found.push(`${name} is left in the run's folder`)
  if (isDiskHit) return found
  for (const name of namesIn(site.results)) if (name.endsWith('.bellis-lock')) found.push(`${name} is left`)
  const isExcused = printed.includes('transient chunks could not be removed')
  for (const name of isExcused ? [] : (site.setting.workload.transient ?? [])) {
    const chunks = chunksOf(join(site.results, name))
    if (chunks.length > 0) found.push(`${chunks.length} chunks of the transient ${name} are left`)
  }
  return found
}

/** Temporary files of writers that were killed, which are allowed. */
export const temporaryFiles = (site: Site): number =>
  namesIn(site.results).filter((name) => /(^|\/)\.tmp-[^/]*$/.test(name)).length

const namesIn = (folder: string): string[] =>
  existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : []
