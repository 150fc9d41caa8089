import { existsSync, statSync } from 'node:fs'
import { link, mkdir, rename, rm, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type NewDataset, writeArrays } from '../../adapters/hdf5/writing/write-arrays.ts'
import { ioError } from '../../adapters/zarr/files/file-errors.ts'
import { syncFolder, temporaryName } from '../../adapters/zarr/files/replace-file.ts'
import type { LockFile } from '../../adapters/zarr/taken-lock.ts'
import { packContainer } from '../../adapters/zarr/zip/packed-container.ts'
import { ConfigError, InfrastructureError } from '../../core/errors.ts'
import type { RunEvent } from '../../core/events.ts'
import { provenanceIn } from '../../core/progress/array-provenance.ts'
import type { WireTask } from '../../core/protocol/messages.ts'
import { ResourceStack } from '../../core/resource-stack.ts'
import { errnoOf, isMissingFile } from '../../core/system-errors.ts'
import type { PlannedPipeline } from '../../runtime/tasks/planned-task.ts'
import { arrayStore, packedArrays, parseDatasetPath } from '../arrays.ts'
import { readMark } from '../run-folder/output-mark.ts'
import { datasetOf } from './hdf5-files.ts'
import { isLeft, lockToMakeArrays, lockToPack, PACKED } from './pack-lock.ts'
import { finishedPath, isPacked, type PackedFile, packedFile } from './packed-file.ts'
import { assertNothingLost, filesOf, replacedOutputs } from './replaced-files.ts'
import { isOme } from './zip-files.ts'

/** What packing says of itself. */
export interface PackingReports {
  /** Gets a message for each file that can't be written yet, and for each one that another run is packing. */
  readonly warn: (message: string) => void
  /** Gets the start and the end of each other one. */
  readonly report: (event: PackingEvent) => void
}

type PackingEvent = Extract<RunEvent, { readonly type: 'packing' | 'packed' }>

/** The arrays that a run has written, and the id in their marks. */
type WrittenArrays = NonNullable<WireTask['owns']>

/**
 * Writes the files that outputs of a run are part of, now that they are complete. A file gets its name once it is on the disk, and only
 * then the folder with its arrays is removed.
 * @param written by this run: they are in the file, or in the folder, when this returns
 * @throws InfrastructureError `DISK_FULL`, `IO_ERROR`; ConfigError `READ_ONLY`, `DATASET_EXISTS`
 */
export async function packOutputs(
  pipeline: PlannedPipeline,
  written: WrittenArrays,
  reports: PackingReports,
): Promise<void> {
  for (const file of filesOf(pipeline)) {
    await packFile(file, reports)
    await assertKept(file, written)
  }
}

/**
 * Keeps the files that outputs of a run are part of from being packed, while the run makes its arrays: what is packed is decided when all
 * of them are marked as being written. Disposing ends this.
 * @throws ConfigError `RUN_LOCKED` for a file that is being packed, and what `assertNothingLost` throws; InfrastructureError `IO_ERROR`
 */
export async function keepFromPacking(pipeline: PlannedPipeline): Promise<AsyncDisposable> {
  await using open = new ResourceStack()
  const replaced = new Set(replacedOutputs(pipeline).map((path) => packedFile(parseDatasetPath(path))?.path))
  // In the same order in all runs, so that no two of them wait for each other.
  for (const file of filesOf(pipeline).toSorted((a, b) => (a.path < b.path ? -1 : 1))) {
    const folder = await folderForArrays(file, replaced.has(file.path))
    if (folder !== undefined) open.use(folder)
  }
  await assertNothingLost(pipeline)
  return open.move()
}

/** @returns undefined for a file that is there and stays */
async function folderForArrays(file: PackedFile, isReplaced: boolean): Promise<AsyncDisposable | undefined> {
  const { unfinished } = file
  while (isReplaced || !isPacked(file)) {
    try {
      await mkdir(unfinished, { recursive: true })
      const lock = await lockToMakeArrays(file)
      // What a killed run has packed is not packed again.
      if (isLeft(file)) await removeFolder(unfinished)
      else return lockedFolder(unfinished, lock)
      await lock[Symbol.asyncDispose]()
    } catch (error) {
      // Whoever packed it has removed it meanwhile.
      if (isMissingFile(error) && existsSync(dirname(unfinished))) continue
      throw ioError('write', unfinished, error)
    }
  }
  return undefined
}

const lockedFolder = (folder: string, lock: LockFile): AsyncDisposable => ({
  async [Symbol.asyncDispose]() {
    await lock[Symbol.asyncDispose]()
    // It fails, as it should, for a folder that has arrays by then.
    await rmdir(folder).catch(() => {})
  },
})

/** Makes the file of the folder beside it, unless it is there, or an array of it still has to be completed. */
async function packFile(file: PackedFile, { warn, report }: PackingReports): Promise<void> {
  if (!existsSync(file.unfinished)) return
  await using lock = await lockToPack(file, warn)
  if (lock === undefined) return
  if (isLeft(file)) return await removeFolder(file.unfinished)
  // No array is made, or written again, before the lock is released.
  const { inner, incomplete } = await arraysToPack(file)
  if (inner.length === 0) return
  if (isPacked(file)) throw appeared(file)
  if (incomplete !== undefined) {
    return warn(
      `${file.path} is not written yet, since ${incomplete} of it is not complete; what is done is in ${file.unfinished}.`,
    )
  }
  const { path } = file
  const start = performance.now()
  report({ type: 'packing', path })
  await pack(file, inner, lock)
  report({ type: 'packed', path, bytes: statSync(path).size, seconds: (performance.now() - start) / 1000 })
}

/** The paths of the arrays in the folder beside a file, and that of one which a run still has to complete. */
async function arraysToPack(file: PackedFile) {
  const inner = await packedArrays.arraysBeside(file)
  for (const path of inner) {
    await using array = await arrayStore.open(besideFile(file, path))
    if (provenanceIn(array.attributes)?.ended === undefined) {
      return { inner, incomplete: path === '' ? 'the array' : path }
    }
  }
  return { inner, incomplete: undefined }
}

const besideFile = ({ unfinished }: PackedFile, inner: string): string =>
  inner === '' ? unfinished : `${unfinished}/${inner}`

/** Nobody has written these arrays but this run, and it must not say that they are there if others have removed them. */
async function assertKept(file: PackedFile, { id, outputs }: WrittenArrays): Promise<void> {
  for (const output of outputs) {
    const path = finishedPath(output)
    if (packedFile(parseDatasetPath(path))?.path !== file.path) continue
    const found = await readMark(isPacked(file) ? path : output).catch((error) => {
      if (error instanceof ConfigError) return undefined
      throw error
    })
    if (found?.id === id) continue
    throw new InfrastructureError(
      'IO_ERROR',
      `${path} was written by this run and is gone: another run or program has replaced or removed ${isPacked(file) ? file.path : file.unfinished} meanwhile; start again with --overwrite, or write to another file.`,
    )
  }
}

async function pack(file: PackedFile, arrays: readonly string[], lock: LockFile): Promise<void> {
  const { path, unfinished } = file
  const packed = join(unfinished, PACKED)
  try {
    if (file.kind === 'zip') await packContainer(unfinished, packed, { isOme: isOme(file) })
    else await packDatasets(file, arrays, packed)
  } catch (error) {
    // A full disk has room for other things then.
    await rm(packed, { force: true }).catch(() => {})
    throw error
  }
  lock.lost.throwIfAborted()
  try {
    await giveName(packed, path)
    await syncFolder(dirname(path))
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') throw appeared(file, error)
    throw ioError('write', path, error)
  }
  await removeFolder(unfinished)
}

async function packDatasets(file: PackedFile, arrays: readonly string[], target: string): Promise<void> {
  await using open = new ResourceStack()
  const datasets: NewDataset[] = []
  for (const inner of arrays) {
    const path = besideFile(file, inner)
    datasets.push(datasetOf(inner, open.use(await arrayStore.open(path)), await readMark(path)))
  }
  await writeArrays(target, datasets)
}

/** Never in place of another file. The old name stays, so that a killed run is seen to have come this far. */
async function giveName(packed: string, path: string): Promise<void> {
  try {
    await link(packed, path)
  } catch (error) {
    // Some file systems have no links.
    if (errnoOf(error) === 'EEXIST' || existsSync(path)) throw error
    await rename(packed, path)
  }
}

const appeared = ({ path, unfinished }: PackedFile, cause?: unknown): ConfigError =>
  new ConfigError(
    'DATASET_EXISTS',
    `${path} was made by another program meanwhile, so it was not replaced; move it away and run again: the result is in ${unfinished}.`,
    { cause },
  )

/** Removes what is not needed any more, so that nobody sees a part of it. */
async function removeFolder(folder: string): Promise<void> {
  const hidden = join(dirname(folder), temporaryName())
  try {
    await rename(folder, hidden)
    await rm(hidden, { recursive: true, force: true })
  } catch (error) {
    throw ioError('remove', folder, error)
  }
}
