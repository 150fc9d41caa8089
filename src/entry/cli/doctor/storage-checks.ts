import { existsSync, mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { takeExclusiveLock } from '../../../adapters/sqlite/file-lock.ts'
import { messageOf } from '../../../core/errors.ts'
import { writeSampleFile } from '../../../sample/write-sample.ts'
import { createArray, openArray } from '../../arrays.ts'
import { openProgressStore } from '../../run-folder/progress-place.ts'
import { runsHome } from '../../run-folder/run-place.ts'
import { absent, type Finding, gigabytes, type MachineOptions, ok, problem, REINSTALL, warning } from './finding.ts'
import { inScratch } from './scratch.ts'

const LEAST_FREE_BYTES = 1e9

export const checkHdf5 = (): Promise<Finding> =>
  inScratch(async (folder) => {
    const file = join(folder, 'sample.hdf')
    await writeSampleFile(file, { size: [4, 16, 16], seed: 1 })
    await using array = await openArray(`${file}/volumes/raw`)
    await array.read(array.roi)
    return ok('HDF5', 'a file was written and read')
  })

export const checkZarr = (): Promise<Finding> =>
  inScratch(async (folder) => {
    const written = Uint8Array.from({ length: 4096 }, (_, i) => (i * i) % 251)
    for (const codec of ['gzip', 'zstd', 'blosc-lz4']) {
      const options = { shape: [16, 16, 16], dtype: 'uint8', codec } as const
      await using array = await createArray(join(folder, `${codec}.zarr`), options)
      await array.write(array.roi, written)
      const { data } = await array.read(array.roi)
      if (written.some((value, i) => value !== data[i])) return problem('Zarr', `${codec} changed the data`, REINSTALL)
    }
    return ok('Zarr', 'arrays were written and read with gzip, zstd and blosc')
  })

/** Makes a folder where run folders would be, and records the progress of a run of one block in it. */
export async function checkRunFolder({ runDir }: MachineOptions): Promise<Finding> {
  const home = resolve(runsHome(runDir))
  let parent = home
  while (!existsSync(parent)) parent = dirname(parent)
  const folder = makeFolderIn(parent)
  try {
    await tryProgress('sqlite', folder)
    using first = takeExclusiveLock(join(folder, 'lock'))
    using second = takeExclusiveLock(join(folder, 'lock'))
    if (first === undefined || second !== undefined) {
      throw new Error(`the file system of ${parent} does not enforce file locks`)
    }
    const { bavail, bsize } = statfsSync(folder)
    const free = bavail * bsize
    const found = `${home} can be written and locked, with SQLite ${process.versions.sqlite}; ${gigabytes(free)} free`
    return free >= LEAST_FREE_BYTES ? ok('runs', found) : warning('runs', found, 'free some space before a large run')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function makeFolderIn(parent: string): string {
  try {
    return mkdtempSync(join(parent, '.bellis-doctor-'))
  } catch (error) {
    throw new Error(`${parent} is not writable: ${messageOf(error)}`, { cause: error })
  }
}

export async function checkMongodb({ db }: MachineOptions): Promise<Finding> {
  if (db === undefined) {
    return absent('MongoDB', 'not tried; --db URL tries one, and without it progress is recorded in files')
  }
  return ok('MongoDB', `a test record was written to ${await tryProgress(db, '.')} and deleted`)
}

/** Records a block as done, as a run does, and removes the record. @returns the name of the store, without credentials */
async function tryProgress(place: string, folder: string): Promise<string> {
  const run = `bellis-doctor-${process.pid}-${Date.now()}`
  await using store = await openProgressStore(place, folder)
  if (store === undefined) return ''
  try {
    await using record = await store.open({ run, tasks: [{ id: 'doctor', blockCount: 1, grid: '', config: '' }] })
    const pages = [{ task: 0, page: 0, bits: Uint8Array.of(1) }]
    await record.commit({ pages, failedAttempts: [] }, { signal: AbortSignal.timeout(10_000) })
  } finally {
    await store.remove(run).catch(() => {})
  }
  return store.name
}
