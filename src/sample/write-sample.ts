import { renameSync, rmSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { clearTimes, Hdf5Writer, writeFailure } from '../adapters/hdf5/writing/hdf5-writer.ts'
import { ConfigError } from '../core/errors.ts'
import { CremiFile, RESOLUTION } from './cremi-file.ts'
import { createTissue, type Tissue } from './tissue.ts'

export interface SampleOptions {
  /** Voxels, z y x. @default [64, 512, 512] */
  readonly size?: readonly number[]
  /** Any 32-bit integer; the same one gives the same bytes on every machine. @default 1 */
  readonly seed?: number
  readonly signal?: AbortSignal
  /** Called after each slab of sections. */
  readonly onProgress?: (progress: { readonly sections: number; readonly total: number }) => void
}

/** What was written. */
export interface SampleFile {
  readonly path: string
  readonly size: readonly number[]
  /** nm, z y x */
  readonly voxelSize: readonly number[]
  readonly synapses: number
  readonly bytes: number
}

let files = 0

/**
 * Writes synthetic neural tissue in the layout of CREMI's sample A: `volumes/raw`, `volumes/labels/neuron_ids`,
 * `volumes/labels/clefts` and `annotations`. The file is written under a temporary name and renamed once it is complete;
 * an existing file is replaced. Memory depends on the size of a slab of 8 sections, not on the depth: about 350 MB for sections
 * of 1250 × 1250.
 * @throws ConfigError `INVALID_CONFIG`, `NO_SUCH_FILE` (no such folder); InfrastructureError `DISK_FULL`, `IO_ERROR`; the signal's reason
 */
export async function writeSampleFile(path: string, options: SampleOptions = {}): Promise<SampleFile> {
  const { size = [64, 512, 512], seed = 1 } = options
  assertSample(size, seed)
  const target = resolve(path)
  assertFolder(target)
  const temporary = join(dirname(target), `.${basename(target)}.${process.pid}-${files++}.tmp`)
  const tissue = createTissue(seed)
  try {
    const synapses = tissue.synapsesIn([size[0]!, size[1]!, size[2]!])
    await writeTissue(temporary, tissue, synapses, size, options)
    await clearTimes(temporary)
    const bytes = statSync(temporary).size
    renameSync(temporary, target)
    return { path: target, size, voxelSize: RESOLUTION, synapses: synapses.length, bytes }
  } catch (error) {
    rmSync(temporary, { force: true })
    throw writeFailure(target, error)
  }
}

async function writeTissue(
  path: string,
  tissue: Tissue,
  synapses: ReturnType<Tissue['synapsesIn']>,
  size: readonly number[],
  { signal, onProgress }: SampleOptions,
): Promise<void> {
  const writer = await Hdf5Writer.create(path)
  try {
    const file = new CremiFile(writer, size)
    file.writeLayout()
    for await (const sections of file.writeVolumes(tissue)) {
      onProgress?.({ sections, total: size[0]! })
      signal?.throwIfAborted()
    }
    file.writeAnnotations(synapses)
  } catch (error) {
    writer.abandon()
    throw error
  }
  writer.close()
}

function assertSample(size: readonly number[], seed: number): void {
  if (size.length !== 3 || !size.every((length) => Number.isInteger(length) && length > 0 && length <= 65536)) {
    throw new ConfigError(
      'INVALID_CONFIG',
      `The sample's size (${size.join(', ')}): expected three integers z, y, x from 1 to 65536.`,
    )
  }
  if (!Number.isInteger(seed) || seed !== (seed | 0)) {
    throw new ConfigError('INVALID_CONFIG', `The sample's seed ${seed}: expected a 32-bit integer.`)
  }
}

function assertFolder(target: string): void {
  const folder = dirname(target)
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) return
  throw new ConfigError('NO_SUCH_FILE', `There is no folder "${folder}" for "${basename(target)}"; create it first.`)
}
