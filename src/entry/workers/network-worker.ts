import { hostname } from 'node:os'
import { connectTo } from '../../adapters/links/connect.ts'
import type { RunContext } from '../../adapters/links/context.ts'
import { ConfigError, type WireError } from '../../core/errors.ts'
import type { WireTask } from '../../core/protocol/messages.ts'
import { failureNote } from '../../core/workers/failure-note.ts'
import { OWN_MODULES, ownModule } from '../../runtime/package-place.ts'
import type { Traffic } from '../../runtime/volumes/volume-array.ts'
import { importTask, setUpTask } from '../../runtime/worker/load-task.ts'
import { OpenedArrays } from '../../runtime/worker/setup-arrays.ts'
import { runWorker } from '../../runtime/worker/worker-loop.ts'
import type { LoadedTask, WorkerEnd, WorkerOptions } from '../../runtime/worker/worker-options.ts'
import { arrayStore, writeFor } from '../arrays.ts'
import { breathe, systemClock } from '../clock.ts'
import { OWN_SCHEME } from './module-name.ts'
import { offerOwnPackage } from './own-package.ts'
import { ownPeakMemory, programsPeakMemory } from './peak-memory.ts'
import { type UserCodeWatch, watchedTask } from './user-code.ts'
import { visibleDevices } from './visible-devices.ts'

/** How long a worker tries to reach its coordinator. */
export const RECONNECT_MS = 300_000

export interface NetworkWorkerOptions
  extends Pick<WorkerOptions, 'onConnection' | 'drain' | 'signal' | 'loadTask' | 'rois'> {
  /** Reads the coordinator's address; called before every connection. @throws ConfigError if a retry can't succeed */
  readContext(): RunContext
  /** `<worker>:<session>`, if the worker was started with a name. */
  readonly name?: string
  /** Called before a task's module is loaded. */
  beforeLoad?(task: WireTask): void
  /** Watches the user's code, if the process belongs to the worker. */
  readonly watch?: UserCodeWatch
  /** How long to try to reach the coordinator, in milliseconds. @default 300000 */
  readonly reconnectMs?: number
}

/**
 * Runs a worker in this process to its end, connected over the network.
 * @throws what `runWorker` throws
 */
export async function runNetworkWorker(
  options: Partial<NetworkWorkerOptions> & Pick<NetworkWorkerOptions, 'readContext'>,
): Promise<WorkerEnd> {
  const { readContext, name, reconnectMs = RECONNECT_MS, signal = new AbortController().signal } = options
  await using arrays = new ArraysOfRecord()
  const { onConnection, watch } = options
  const load = async (task: WireTask, workerId: string): Promise<LoadedTask> => {
    options.beforeLoad?.(task)
    enterFolder(task)
    if (task.owns !== undefined) writeFor({ id: task.owns.id, hasOwnLeases: true }, task.owns.outputs)
    return loadTask(task, workerId, await arrays.of(task), watch)
  }
  const leaving = [options.drain, watch?.signal].filter((each) => each !== undefined)
  return await runWorker({
    connect: async (ending) => connectTo(readContext(), ending),
    reconnectMs,
    ...(name === undefined ? {} : { identity: parseName(name) }),
    clock: systemClock,
    random: Math.random,
    breathe,
    pid: process.pid,
    // The name by which SLURM or Kubernetes knows the node, if that is another.
    host: process.env.SLURMD_NODENAME || process.env.BELLIS_NODE || hostname(),
    signal,
    ...(leaving.length === 0 ? {} : { drain: AbortSignal.any(leaving) }),
    ...(onConnection === undefined ? {} : { onConnection }),
    loadTask: options.loadTask ?? load,
    onBlockFailed: printFailure,
    usage: () => ({ ...arrays.traffic, peakMemory: ownPeakMemory() + programsPeakMemory() }),
  })
}

/** Prints why a block failed, for the worker's log. */
export const printFailure = (block: string, error: WireError): void => console.error(failureNote(block, error))

/**
 * The arrays that this worker has opened for one record of the run. If the run is started from scratch, its outputs are made again, so
 * all arrays are opened again, and what the earlier set-ups hold ends.
 */
class ArraysOfRecord implements AsyncDisposable {
  readonly traffic: Traffic = { readBytes: 0, writtenBytes: 0 }
  #opened: OpenedArrays | undefined
  #record: string | undefined

  /** Called between two blocks, when none uses the arrays. */
  async of({ owns }: WireTask): Promise<OpenedArrays> {
    if (this.#record !== owns?.id) await this.#opened?.[Symbol.asyncDispose]()
    if (this.#opened === undefined || this.#record !== owns?.id) {
      this.#opened = new OpenedArrays(arrayStore, () => this.traffic)
    }
    this.#record = owns?.id
    return this.#opened
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened?.[Symbol.asyncDispose]()
  }
}

/** Imports a task's module and sets the task up. Programs that it starts see only the GPUs of this worker. */
export async function loadTask(
  task: WireTask,
  workerId: string,
  arrays: OpenedArrays,
  watch?: UserCodeWatch,
): Promise<LoadedTask> {
  const { module, name } = task
  offerOwnPackage()
  Object.assign(process.env, visibleDevices(task.resources ?? {}))
  const url = moduleUrl(module)
  const load = async () => setUpTask(await importTask(url, name), task, arrays, workerId)
  return watch === undefined ? load() : watchedTask(await watch.guard(load), watch)
}

/** A module is a file that this machine sees, or one of Bellis's own: code is never part of a message, or loaded from elsewhere. */
function moduleUrl(module: string): string {
  if (module.startsWith(OWN_SCHEME)) return builtInModule(module.slice(OWN_SCHEME.length))
  if (module.startsWith('file:')) return module
  throw new ConfigError(
    'UNKNOWN_TASK',
    `The module ${JSON.stringify(module.slice(0, 100))} can't be loaded by a worker: expected a file: URL or a module of Bellis; export the task from a file, or use --pool inline.`,
  )
}

function builtInModule(path: string): string {
  const url = new URL(ownModule(path)).href
  if (!url.startsWith(OWN_MODULES)) throw new ConfigError('UNKNOWN_TASK', `"${path}" is not a module of Bellis.`)
  return url
}

/** Relative paths of a configuration start in the folder where the run was started. */
function enterFolder({ folder, id }: WireTask): void {
  if (folder === undefined || folder === process.cwd()) return
  try {
    process.chdir(folder)
  } catch (error) {
    throw new ConfigError(
      'NO_SUCH_FILE',
      `The run of "${id}" was started in ${folder}, which does not exist on this machine; mount it at the same path.`,
      { cause: error },
    )
  }
}

function parseName(name: string): { worker: string; session: string } {
  const [worker, session] = name.split(':')
  if (worker !== undefined && session !== undefined) return { worker, session }
  throw new ConfigError(
    'INVALID_CONFIG',
    // The value itself is a secret.
    'BELLIS_WORKER is invalid: expected <worker>:<session>, as set by the run.',
  )
}
