import { existsSync, statSync } from 'node:fs'
import { link, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type NewDataset, writeArrays } from '../../adapters/hdf5/writing/write-arrays.ts'
import { ioError } from '../../adapters/zarr/files/file-errors.ts'
import { syncFolder, temporaryName } from '../../adapters/zarr/files/replace-file.ts'
import { awaitLockFile } from '../../adapters/zarr/lock-file.ts'
import { TEMPORARY_PREFIX } from '../../adapters/zarr/store.ts'
import { packContainer } from '../../adapters/zarr/zip/packed-container.ts'
import { ConfigError } from '../../core/errors.ts'
import type { RunEvent } from '../../core/events.ts'
import { provenanceIn } from '../../core/progress/array-provenance.ts'
import { ResourceStack } from '../../core/resource-stack.ts'
import { errnoOf } from '../../core/system-errors.ts'
import type { PlannedPipeline } from '../../runtime/tasks/planned-task.ts'
import { arrayStore, packedArrays, parseDatasetPath } from '../arrays.ts'
import { readMark } from '../run-folder/output-mark.ts'
import { datasetOf } from './hdf5-files.ts'
import { isPacked, isUnfinished, type PackedFile, packedFile } from './packed-file.ts'
import { isOme } from './zip-files.ts'

/** Of the folder, while its arrays are being packed. */
const PACK_LOCK = `${TEMPORARY_PREFIX}pack-lock`
/** In the folder: the file as far as it is packed. It is replaced by the next one who packs. */
const PACKED = `${TEMPORARY_PREFIX}packed`

/** The files that outputs of a run are part of, one for each. */
function filesOf({ tasks }: PlannedPipeline): readonly PackedFile[] {
  const files = new Map<string, PackedFile>()
  for (const { path } of tasks.flatMap(({ outputs }) => outputs)) {
    const file = packedFile(parseDatasetPath(path))
    if (file !== undefined) files.set(file.path, file)
  }
  return [...files.values()]
}

/**
 * Refuses a run that would replace a file with arrays that it doesn't write: they would be lost.
 * @throws ConfigError `DATASET_EXISTS`; what listing a file throws
 */
export async function assertNothingLost(pipeline: PlannedPipeline): Promise<void> {
  const written = pipeline.tasks
    .flatMap(({ outputs }) => outputs)
    .filter(({ options }) => options.ifExists === 'replace')
    .map(({ path }) => arrayStore.canonicalPath(path))
  for (const file of filesOf(pipeline)) {
    if (!isPacked(file)) continue
    const own = new Set(written.filter((path) => path.startsWith(arrayStore.canonicalPath(file.path))))
    if (own.size === 0) continue
    const others = (await packedArrays.arraysIn(file)).filter(
      (inner) => !own.has(arrayStore.canonicalPath(inner === '' ? file.path : `${file.path}/${inner}`)),
    )
    const [first] = others
    if (first === undefined) continue
    throw new ConfigError(
      'DATASET_EXISTS',
      `${file.path} has other arrays, too, such as ${first}, which would be lost: such files are written once; write to another file.`,
    )
  }
}

/**
 * Writes the files that outputs of a run are part of, now that they are complete. A file gets its name once it is on the disk, and only
 * then the folder with its arrays is removed.
 * @param options `warn` gets a message for each file that can't be written yet, `report` the start and the end of each other one
 * @throws InfrastructureError `DISK_FULL`, `IO_ERROR`; ConfigError `READ_ONLY`
 */
export async function packOutputs(
  pipeline: PlannedPipeline,
  { warn, report }: { readonly warn: (message: string) => void; readonly report: (event: PackingEvent) => void },
): Promise<void> {
  for (const file of filesOf(pipeline)) {
    if (isLeft(file)) await removeFolder(file.unfinished)
    if (!isUnfinished(file)) continue
    const incomplete = await incompleteArray(file)
    if (incomplete === undefined) await reported(file, report)
    else {
      warn(
        `${file.path} is not written yet, since ${incomplete} of it is not complete; what is done is in ${file.unfinished}.`,
      )
    }
  }
}

type PackingEvent = Extract<RunEvent, { readonly type: 'packing' | 'packed' }>

async function reported(file: PackedFile, report: (event: PackingEvent) => void): Promise<void> {
  const { path } = file
  const start = performance.now()
  report({ type: 'packing', path })
  await pack(file)
  report({ type: 'packed', path, bytes: statSync(path).size, seconds: (performance.now() - start) / 1000 })
}

/** The path of an array in the folder that a run still has to complete. */
async function incompleteArray(file: PackedFile): Promise<string | undefined> {
  for (const path of await packedArrays.arraysBeside(file)) {
    await using array = await arrayStore.open(path === '' ? file.unfinished : `${file.unfinished}/${path}`)
    if (provenanceIn(array.attributes)?.ended === undefined) return path === '' ? 'the array' : path
  }
  return undefined
}

async function pack(file: PackedFile): Promise<void> {
  const { path, unfinished } = file
  const packed = join(unfinished, PACKED)
  await using _lock = await awaitLockFile(join(unfinished, PACK_LOCK)).catch((error) => {
    // Another run has just packed it.
    if (isPacked(file)) return undefined
    throw ioError('write', unfinished, error)
  })
  if (isPacked(file)) return
  try {
    if (file.kind === 'zip') await packContainer(unfinished, packed, { isOme: isOme(file) })
    else await packDatasets(file, packed)
  } catch (error) {
    // A full disk has room for other things then.
    await rm(packed, { force: true }).catch(() => {})
    throw error
  }
  try {
    await giveName(packed, path)
    await syncFolder(dirname(path))
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') throw appeared(file, error)
    throw ioError('write', path, error)
  }
  await removeFolder(unfinished)
}

async function packDatasets(file: PackedFile, target: string): Promise<void> {
  await using open = new ResourceStack()
  const datasets: NewDataset[] = []
  for (const inner of await packedArrays.arraysBeside(file)) {
    const path = `${file.unfinished}/${inner}`
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

const appeared = ({ path, unfinished }: PackedFile, cause: unknown): ConfigError =>
  new ConfigError(
    'DATASET_EXISTS',
    `${path} was made by another program meanwhile, so it was not replaced; move it away and run again: the result is in ${unfinished}.`,
    { cause },
  )

/** Whether a run has packed the folder beside the file, and was killed before it had removed it. */
function isLeft({ path, unfinished }: PackedFile): boolean {
  const [file, packed] = [path, join(unfinished, PACKED)].map((name) =>
    statSync(name, { bigint: true, throwIfNoEntry: false }),
  )
  return file !== undefined && packed !== undefined && file.ino === packed.ino && file.dev === packed.dev
}

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
