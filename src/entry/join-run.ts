import { hostname } from 'node:os'
import { stdioChannel } from '../adapters/links/stdio-channel.ts'
import { OutputWriter } from '../adapters/zarr/output-writers.ts'
import { BlockError } from '../core/errors.ts'
import type { WorldUnit } from '../core/geometry/world-unit.ts'
import { STDIO_CONTEXT, type WireTask } from '../core/protocol/messages.ts'
import type { RunningBlock, SetupContext } from '../runtime/tasks/task-options.ts'
import { currentLease } from '../runtime/worker/running-block.ts'
import { runWorker } from '../runtime/worker/worker-loop.ts'
import { type LoadedTask, RETURNED, type WorkerEnd } from '../runtime/worker/worker-options.ts'
import { arrayStore, writeFor } from './arrays.ts'
import { breathe, systemClock } from './clock.ts'
import { contextReader } from './run-folder/run-context.ts'
import { absolutePath, runsHome } from './run-folder/run-place.ts'
import { printFailure, runNetworkWorker } from './workers/network-worker.ts'
import { ownPeakMemory } from './workers/peak-memory.ts'

/** How long a block may continue after the worker that started this program has ended: nobody would receive its outcome. */
const ORPHAN_GRACE_MS = 2000

/** A block of a run that this program has joined. */
export interface JoinedBlock<Config = Readonly<Record<string, unknown>>> extends RunningBlock {
  /** The task's configuration, as its schema returned it. */
  readonly config: Config
  /** The unit of the Rois. */
  readonly unit: WorldUnit
  /** The folder in which the run was started; relative paths in `config` start there. */
  readonly folder: string
  /** As passed to `setup`: the GPUs that only this program may use. */
  readonly resources: SetupContext['resources']
  /** Aborted when the block was given to another worker, or the run was stopped: stop working on it. */
  readonly signal: AbortSignal
  /** Reports that this attempt failed. @param why a text or an error */
  fail(why: unknown): void
}

/** Options of {@link joinRun}. */
export interface JoinOptions {
  /** The run's folder or its name, instead of a context. */
  readonly run?: string
  /** The folder that contains the runs' folders. @default '.bellis', or BELLIS_HOME */
  readonly runDir?: string
  /** When aborted, the running block may finish, the others are returned, and the loop ends. */
  readonly signal?: AbortSignal
  /** How long to try to reach the coordinator, at first and after the connection was lost, in milliseconds. @default 300000 */
  readonly reconnectMs?: number
}

/**
 * Yields the blocks of a run, for a program that does them itself: `for await (const block of joinRun()) …`. When the loop asks
 * for the next block, the previous one counts as done, or as failed if `block.fail(why)` was called. Leaving the loop by
 * `break` or an error returns its block without counting an attempt. The loop ends when the run is over. On SIGTERM and the
 * first Ctrl-C it ends after the current block; the second Ctrl-C ends the process.
 * @param context `bellis://TOKEN@HOST:PORT`. @default the environment variable BELLIS_CONTEXT
 * @throws ConfigError `INVALID_CONFIG`, `NO_SUCH_FILE`, and `UNAUTHORIZED` or `PROTOCOL_ERROR` when another program listens at the
 * address of the context; InfrastructureError `UNAUTHORIZED`, `PROTOCOL_ERROR`, `CONNECTION_LOST`
 */
export async function* joinRun<Config = Readonly<Record<string, unknown>>>(
  context?: string,
  options: JoinOptions = {},
): AsyncGenerator<JoinedBlock<Config>, void, undefined> {
  const leaving = new AbortController()
  const { signal } = options
  const drain = signal === undefined ? leaving.signal : AbortSignal.any([leaving.signal, signal])
  const known = context ?? (options.run === undefined ? process.env.BELLIS_CONTEXT : undefined)
  // The worker that has started a program says itself that the program may write.
  using loop = new BlockLoop<Config>({ saysThatItWrites: known !== STDIO_CONTEXT })
  const worker =
    known === STDIO_CONTEXT ? serveStdio(loop, drain) : serveNetwork(loop, drain, known, context === undefined, options)
  const ended = worker.then(
    () => loop.end(),
    (error: unknown) => loop.end({ error }),
  )
  const unwatch = watchSignals(leaving, known === STDIO_CONTEXT)
  try {
    yield* loop.blocks()
  } finally {
    leaving.abort()
    loop.giveBack()
    await ended
    unwatch()
  }
}

function serveNetwork(
  loop: BlockLoop<unknown>,
  drain: AbortSignal,
  context: string | undefined,
  isInherited: boolean,
  { run, runDir, reconnectMs }: JoinOptions,
): Promise<WorkerEnd> {
  const name = process.env.BELLIS_WORKER
  return runNetworkWorker({
    readContext: contextReader(run, context, runsHome(runDir)),
    ...(isInherited && run === undefined && name !== undefined ? { name } : {}),
    ...(reconnectMs === undefined ? {} : { reconnectMs }),
    drain,
    loadTask: loop.loadTask,
  })
}

async function serveStdio(loop: BlockLoop<unknown>, drain: AbortSignal): Promise<WorkerEnd> {
  const channel = stdioChannel()
  void channel.closed.then(() => {
    const exit = () => loop.isBusy && process.exit(1)
    setTimeout(exit, ORPHAN_GRACE_MS).unref()
  })
  return await runWorker({
    connect: async () => channel,
    rois: true,
    loadTask: loop.loadTask,
    onBlockFailed: printFailure,
    clock: systemClock,
    breathe,
    pid: process.pid,
    host: hostname(),
    signal: new AbortController().signal,
    drain,
    usage: () => ({ readBytes: 0, writtenBytes: 0, peakMemory: ownPeakMemory() }),
  })
}

/** @param isStarted whether a worker started this program: Ctrl-C reaches both, and the worker decides what it means */
function watchSignals(leaving: AbortController, isStarted: boolean): () => void {
  const onInterrupt = () => {
    if (isStarted) return
    if (leaving.signal.aborted) process.exit(130)
    leaving.abort()
  }
  const onTerminate = () => leaving.abort()
  process.on('SIGINT', onInterrupt)
  process.on('SIGTERM', onTerminate)
  return () => {
    process.off('SIGINT', onInterrupt)
    process.off('SIGTERM', onTerminate)
  }
}

interface Offer<Config> {
  readonly block: JoinedBlock<Config>
  readonly failure: () => Error | undefined
  readonly resolve: (outcome?: typeof RETURNED) => void
  readonly reject: (why: Error) => void
}

/** Passes the blocks of a worker to a loop, one at a time, and their outcomes back to the worker. */
class BlockLoop<Config> implements Disposable {
  readonly #saysThatItWrites: boolean
  #writer: OutputWriter | undefined
  #offer: Offer<Config> | undefined
  #running: Offer<Config> | undefined
  #end: { readonly error?: unknown } | undefined
  #wake = () => {}

  constructor({ saysThatItWrites }: { readonly saysThatItWrites: boolean }) {
    this.#saysThatItWrites = saysThatItWrites
  }

  get isBusy(): boolean {
    return this.#running !== undefined
  }

  [Symbol.dispose](): void {
    this.#writer?.[Symbol.dispose]()
  }

  readonly loadTask = async (task: WireTask): Promise<LoadedTask> => {
    const { folder = process.cwd(), owns } = task
    const outputs = owns?.outputs.map((path) => absolutePath(path, folder)) ?? []
    if (owns !== undefined) writeFor({ id: owns.id, hasOwnLeases: this.#saysThatItWrites }, outputs)
    const writer = owns !== undefined && this.#saysThatItWrites ? this.#writerOf(owns.id, outputs) : undefined
    return {
      process: (block, { signal }) =>
        writer === undefined
          ? this.#pass(task, block, signal)
          : writer.during(currentLease(), (taken) => this.#pass(task, block, AbortSignal.any([signal, taken]))),
    }
  }

  /** All tasks of a run have the same arrays. */
  #writerOf(id: string, outputs: readonly string[]): OutputWriter {
    if (this.#writer?.record !== id) {
      this.#writer?.[Symbol.dispose]()
      this.#writer = new OutputWriter({ id, folders: outputs.map((path) => arrayStore.canonicalPath(path)) })
    }
    return this.#writer
  }

  #pass(
    { config, unit, folder = process.cwd(), resources = {} }: WireTask,
    block: RunningBlock,
    signal: AbortSignal,
  ): Promise<typeof RETURNED | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<typeof RETURNED | undefined>()
    let failure: Error | undefined
    const fail = (why: unknown) => {
      failure = why instanceof Error ? why : new BlockError('BLOCK_FAILED', String(why))
    }
    this.#offer = {
      block: { ...block, progress: block.progress, config: config as Config, unit, folder, resources, signal, fail },
      failure: () => failure,
      resolve,
      reject,
    }
    this.#wake()
    return promise
  }

  /** The worker has ended, so the loop ends after its block. */
  end(how: { readonly error?: unknown } = {}): void {
    this.#end = how
    this.#wake()
  }

  async *blocks(): AsyncGenerator<JoinedBlock<Config>, void, undefined> {
    for (;;) {
      while (this.#offer === undefined && this.#end === undefined) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
      if (this.#offer === undefined) break
      this.#running = this.#offer
      this.#offer = undefined
      yield this.#running.block
      this.#settle(this.#running)
      this.#running = undefined
    }
    if (this.#end !== undefined && 'error' in this.#end) throw this.#end.error
  }

  /** The loop was left during a block. */
  giveBack(): void {
    const left = this.#running
    // A failure counts, even if it is the reason for leaving.
    if (left?.failure() !== undefined) this.#settle(left)
    else left?.resolve(RETURNED)
    this.#running = undefined
  }

  #settle({ failure, resolve, reject }: Offer<Config>): void {
    const failed = failure()
    if (failed === undefined) resolve()
    else reject(failed)
  }
}
