import { accessSync, constants, existsSync, mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { availableParallelism, freemem, networkInterfaces, tmpdir, totalmem } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { sgeQueue } from '../../adapters/batch/sge/sge-queue.ts'
import { slurmQueue } from '../../adapters/batch/slurm/slurm-queue.ts'
import { browserOpener, hasDesktop } from '../../adapters/browser/open-browser.ts'
import { listenTcp } from '../../adapters/links/tcp-listener.ts'
import { takeExclusiveLock } from '../../adapters/sqlite/file-lock.ts'
import { outsideAddressesOf } from '../../core/addresses.ts'
import { messageOf } from '../../core/errors.ts'
import { gaussianFilter } from '../../kernels/gaussian/gaussian.ts'
import { writeSampleFile } from '../../sample/write-sample.ts'
import { createArray, openArray } from '../arrays.ts'
import { pageFiles } from '../pages/viewer-page.ts'
import { runBlockwise } from '../run.ts'
import { openProgressStore } from '../run-folder/progress-place.ts'
import { runsHome } from '../run-folder/run-place.ts'
import { convert } from '../tasks.ts'

/**
 * What was found of one thing. `problem`: Bellis, or what was asked for, does not work here. `warning`: it does, but badly.
 * `absent`: it is not here, and is not needed unless it is asked for.
 */
export interface Finding {
  readonly name: string
  readonly status: 'ok' | 'warning' | 'problem' | 'absent'
  /** What is there, or what is wrong. */
  readonly found: string
  /** What to do, where something is wrong and `found` does not say it. */
  readonly advice?: string
}

export interface MachineOptions {
  /** Where workers of other machines, or browsers, would come in. @default '127.0.0.1' */
  readonly host?: string
  /** @default one that is free */
  readonly port?: number
  /** A MongoDB that progress would be kept in. */
  readonly db?: string
  /** What sbatch would be given, and that it is needed. */
  readonly slurm?: string
  /** The same for qsub. */
  readonly sge?: string
  /** Where runs' folders would be made. @default '.bellis', or BELLIS_HOME */
  readonly runDir?: string
}

type Check = (options: MachineOptions) => Finding | Promise<Finding>

/** Tries what Bellis needs of this machine, one thing after the other, and leaves nothing behind. */
export async function* checkMachine(options: MachineOptions = {}): AsyncGenerator<Finding> {
  for (const [name, check] of Object.entries(CHECKS)) {
    yield await Promise.resolve(options)
      .then(check)
      .catch((error: unknown) => failed(name, error))
  }
}

const ok = (name: string, found: string): Finding => ({ name, status: 'ok', found })
const problem = (name: string, found: string, advice: string): Finding => ({ name, status: 'problem', found, advice })
/** Errors of databases say themselves what to do. */
const failed = (name: string, error: unknown): Finding => ({
  ...{ name, status: 'problem', found: messageOf(error) },
  ...(ADVICE[name] === undefined ? {} : { advice: ADVICE[name] }),
})
const absent = (name: string, found: string): Finding => ({ name, status: 'absent', found })

const GB = 1e9
/** Node, the libraries and a few blocks of one worker. */
const WORKER_BYTES = 0.25 * GB
const gigabytes = (bytes: number): string => `${(bytes / GB).toFixed(bytes < 10 * GB ? 1 : 0)} GB`

const CHECKS: Readonly<Record<string, Check>> = {
  Node: () => ok('Node', `${process.versions.node} (${process.platform}, ${process.arch})`),
  machine: checkResources,
  HDF5: () => inScratch(checkHdf5),
  Zarr: () => inScratch(checkZarr),
  kernels: checkKernels,
  workers: () => inScratch(checkWorkers),
  runs: checkRuns,
  ports: checkPorts,
  SLURM: ({ slurm }) => checkQueue('SLURM', 'sbatch', slurm),
  'Grid Engine': ({ sge }) => checkQueue('Grid Engine', 'qsub', sge),
  MongoDB: checkMongodb,
  browser: checkBrowser,
}

const REINSTALL = 'install Bellis again (npm ci in a checkout), with nothing left out'

/** What to do when a check throws. */
const ADVICE: Readonly<Record<string, string>> = {
  HDF5: `see that no flag in NODE_OPTIONS turns WebAssembly off, such as --jitless; else ${REINSTALL}`,
  Zarr: `see that ${tmpdir()} can be written, or name another folder in TMPDIR`,
  kernels: `see that no flag in NODE_OPTIONS turns WebAssembly or its SIMD off, such as --jitless; else ${REINSTALL}`,
  workers: 'see whether this user may start processes (ulimit -u), and what NODE_OPTIONS says',
  runs: 'choose a place on a local disk, or on a file system with locks, with --run-dir or the variable BELLIS_HOME',
  ports: 'choose another with --host and --port, or leave them out',
  SLURM: 'see sinfo and scontrol ping, and the options after --slurm',
  'Grid Engine': 'see qhost and qstat -f, and the options after --sge',
}

async function inScratch(check: (folder: string) => Promise<Finding>): Promise<Finding> {
  const folder = mkdtempSync(join(tmpdir(), 'bellis-doctor-'))
  try {
    return await check(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function checkResources(): Finding {
  // Of a container or a job what it may have, not what the machine has.
  const limit = process.constrainedMemory()
  const total = limit > 0 && limit < totalmem() ? limit : totalmem()
  const free = Math.min(total, limit > 0 && limit < totalmem() ? process.availableMemory() : freemem())
  const workers = availableParallelism()
  const found = `${workers} ${workers === 1 ? 'processor' : 'processors'}, ${gigabytes(total)} of memory`
  if (total >= workers * WORKER_BYTES) return ok('machine', `${found}, ${gigabytes(free)} of it free`)
  const fitting = Math.max(1, Math.floor(total / WORKER_BYTES))
  return {
    name: 'machine',
    status: 'warning',
    found: `${found}: little for as many workers`,
    advice: `run with --workers ${fitting}`,
  }
}

async function checkHdf5(folder: string): Promise<Finding> {
  const file = join(folder, 'sample.hdf')
  await writeSampleFile(file, { size: [4, 16, 16], seed: 1 })
  await using array = await openArray(`${file}/volumes/raw`)
  await array.read(array.roi)
  return ok('HDF5', 'a file was written and read')
}

async function checkZarr(folder: string): Promise<Finding> {
  const written = Uint8Array.from({ length: 4096 }, (_, i) => (i * i) % 251)
  for (const codec of ['gzip', 'zstd', 'blosc-lz4']) {
    await using array = await createArray(join(folder, `${codec}.zarr`), { shape: [16, 16, 16], dtype: 'uint8', codec })
    await array.write(array.roi, written)
    const { data } = await array.read(array.roi)
    if (written.some((value, i) => value !== data[i])) return problem('Zarr', `${codec} changed the data`, REINSTALL)
  }
  return ok('Zarr', 'arrays were written and read with gzip, zstd and blosc')
}

function checkKernels(): Finding {
  const data = new Float32Array(27).fill(1)
  const { data: smoothed } = gaussianFilter({ data, shape: [3, 3, 3] }, { sigma: 1, mode: 'nearest' })
  if (smoothed.some((value) => Math.abs(value - 1) > 1e-6)) {
    return problem('kernels', 'the Gaussian computes wrong values', REINSTALL)
  }
  return ok('kernels', 'WebAssembly with SIMD works')
}

/** One block in a process, one in a thread: as a run does it. */
async function checkWorkers(folder: string): Promise<Finding> {
  const input = join(folder, 'in.zarr')
  await (await createArray(input, { shape: [8, 8, 8], dtype: 'uint8' })).close()
  for (const pool of ['process', 'thread'] as const) {
    const result = await runBlockwise(convert({ input, output: join(folder, `${pool}.zarr`) }), {
      ...{ pool, workers: 1, progress: 'none', runDir: join(folder, 'runs'), timeoutMs: 60_000 },
      ...{ maxRetries: 0, maxWorkerRestarts: 0, setupTimeoutMs: 60_000 },
    })
    if (result.ok) continue
    const [task] = result.tasks
    const why = result.error ?? task?.failures[0]?.error ?? task?.error
    const what = `a ${pool} could not do a block: ${why?.message ?? 'it ended'}`
    return problem('workers', what.replace(/[.;\s]*$/, ''), ADVICE.workers as string)
  }
  return ok('workers', 'a process and a thread did a block each')
}

const LEAST_FREE_BYTES = GB

/** Makes a folder where runs' folders would be, and keeps the progress of a run of one block in it. */
async function checkRuns({ runDir }: MachineOptions): Promise<Finding> {
  const home = resolve(runsHome(runDir))
  let parent = home
  while (!existsSync(parent)) parent = dirname(parent)
  let folder: string
  try {
    folder = mkdtempSync(join(parent, '.bellis-doctor-'))
  } catch (error) {
    return problem('runs', `nothing can be written in ${parent}: ${messageOf(error)}`, ADVICE.runs as string)
  }
  try {
    await tryProgress('sqlite', folder)
    using first = takeExclusiveLock(join(folder, 'lock'))
    using second = takeExclusiveLock(join(folder, 'lock'))
    if (first === undefined || second !== undefined) {
      return problem('runs', `the file system of ${parent} does not keep locks`, ADVICE.runs as string)
    }
    const { bavail, bsize } = statfsSync(folder)
    const free = bavail * bsize
    const found = `${home} can be written and locked, with SQLite ${process.versions.sqlite}; ${gigabytes(free)} free`
    if (free >= LEAST_FREE_BYTES) return ok('runs', found)
    return { name: 'runs', status: 'warning', found, advice: 'free some space before a large run' }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Records a block as done, as a run does, and removes the record. */
async function tryProgress(place: string, folder: string): Promise<string> {
  const run = `bellis-doctor-${process.pid}-${Date.now()}`
  await using store = await openProgressStore(place, folder)
  if (store === undefined) return ''
  try {
    await using record = await store.open({ run, tasks: [{ id: 'doctor', blockCount: 1, grid: '', config: '' }] })
    const pages = [{ task: 0, page: 0, bits: Uint8Array.of(1) }]
    await record.commit({ pages, failedTries: [] }, { signal: AbortSignal.timeout(10_000) })
  } finally {
    await store.remove(run).catch(() => {})
  }
  return store.name
}

async function checkPorts({ host = '127.0.0.1', port = 0 }: MachineOptions): Promise<Finding> {
  await using listener = await listenTcp({ host, port })
  const others = outsideAddressesOf(networkInterfaces())
  const reached =
    others.length === 0 ? 'this machine has no other address' : `others may reach it at ${others.join(', ')}`
  return ok('ports', `${host}:${listener.port} can be listened at; ${reached}`)
}

/** Whether the queue's program is there, takes such jobs, and tells of them. @param options undefined where it is not asked for */
async function checkQueue(
  name: 'SLURM' | 'Grid Engine',
  program: string,
  options: string | undefined,
): Promise<Finding> {
  const flag = name === 'SLURM' ? '--slurm' : '--sge'
  if (findProgram(program) === undefined) {
    const missing = `${program} is not on the PATH`
    if (options === undefined) return absent(name, `${missing}; --pool ${flag.slice(2)} needs it, nothing else does`)
    return problem(name, missing, 'run this on a machine that submits jobs, or put it on the PATH')
  }
  const make = name === 'SLURM' ? slurmQueue : sgeQueue
  const folder = join(tmpdir(), 'bellis-doctor')
  await using queue = make({
    folder,
    jobName: 'bellis-doctor',
    command: ['true'],
    options: options ?? '',
    callTimeoutMs: 5000,
  })
  try {
    await queue.check()
    await queue.status(['1'])
  } catch (error) {
    // Left over from another use of the machine, it is nobody's trouble.
    return { ...failed(name, error), status: options === undefined ? 'warning' : 'problem' }
  }
  const how = options === undefined ? 'without options' : `with ${options}`
  return ok(name, `${program} takes workers ${how}, and the queue answers`)
}

function findProgram(name: string): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean)
  return folders.map((folder) => join(folder, name)).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

async function checkMongodb({ db }: MachineOptions): Promise<Finding> {
  if (db === undefined) return absent('MongoDB', 'not tried: --db URL tries one; without it progress is kept in files')
  const name = await tryProgress(db, '.')
  return ok('MongoDB', `${name} took a record and gave it up again`)
}

function checkBrowser(): Finding {
  pageFiles()
  const elsewhere = 'bellis show prints an address, and the ssh command to open it from another machine'
  if (!hasDesktop()) return absent('browser', `no desktop here; ${elsewhere}`)
  const opener = browserOpener()
  if (findProgram(opener) === undefined) return absent('browser', `${opener} is not on the PATH; ${elsewhere}`)
  return ok('browser', `${opener} opens it`)
}
