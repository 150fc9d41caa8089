import { connectWorker, stepWorker, waitOf } from '../../../core/workers/worker-life.ts'
import type { Answer, WorkerDecision, WorkerEvent, WorkerState } from '../../../core/workers/worker-state.ts'
import type { LeaseBook } from '../lease-book.ts'
import type { RunningPipeline } from '../running-pipeline.ts'
import type { Worker } from './pool.ts'
import type { WorkerConnections } from './worker-connections.ts'

interface Life {
  state: WorkerState
  cancelWait: (() => void) | undefined
}

const STARTING: WorkerState = { status: 'starting' }

/** The state of each worker, and its timer. */
export class WorkerLives {
  readonly #run: RunningPipeline
  readonly #book: LeaseBook
  readonly #connections: WorkerConnections
  readonly #lives = new Map<Worker, Life>()

  constructor(run: RunningPipeline, book: LeaseBook, connections: WorkerConnections) {
    this.#run = run
    this.#book = book
    this.#connections = connections
  }

  add(worker: Worker): void {
    this.#run.add(worker)
    this.#lives.set(worker, { state: STARTING, cancelWait: undefined })
  }

  /** Expects a worker of an earlier start to reconnect in time. */
  expect(worker: Worker): void {
    this.#run.add(worker)
    const { reconnectMs = 10_000 } = this.#run.options
    const exit = { reason: 'it did not reconnect', lastOutput: '' }
    const life: Life = { state: STARTING, cancelWait: undefined }
    this.#lives.set(worker, life)
    const wait = { ms: reconnectMs, event: { type: 'give-up', exit } } as const
    this.#enter(worker, life, { status: 'away', isMissed: true, wait })
  }

  stateOf(worker: Worker): WorkerState | undefined {
    return this.#lives.get(worker)?.state
  }

  isReady(worker: Worker): boolean {
    return this.#lives.get(worker)?.state.status === 'ready'
  }

  /** Moves a worker to its next state. @returns what has to be done about it */
  step(worker: Worker, event: WorkerEvent): readonly WorkerDecision[] {
    const life = this.#lives.get(worker)
    if (life === undefined) return []
    const { state, decisions } = stepWorker(life.state, event, {
      id: worker.id,
      host: this.#connections.hostOf(worker),
      origin: worker.origin,
      isRemote: this.#connections.isRemote(worker),
      holdsBlocks: this.#book.leasesOf(worker).length > 0,
      isRunActive: this.#run.phase === 'running',
      reconnectMs: this.#run.options.reconnectMs ?? 10_000,
    })
    this.#enter(worker, life, state)
    return decisions
  }

  /** A worker that is not over connects. */
  connect(worker: Worker): Answer {
    const life = this.#lives.get(worker) as Life
    const { state, answer } = connectWorker(life.state)
    this.#enter(worker, life, state)
    return answer
  }

  #enter(worker: Worker, life: Life, state: WorkerState): void {
    const wait = waitOf(state)
    const isSame = wait === waitOf(life.state)
    life.state = state
    if (isSame) return
    life.cancelWait?.()
    life.cancelWait = wait && this.#run.options.clock.after(wait.ms, () => this.#run.control.handle(worker, wait.event))
  }

  /** Forgets a worker that is over. */
  forget(worker: Worker): void {
    this.#lives.get(worker)?.cancelWait?.()
    this.#lives.delete(worker)
  }

  [Symbol.dispose](): void {
    for (const { cancelWait } of this.#lives.values()) cancelWait?.()
  }
}
