import { type BlockGrid, createBlockGrid } from '../../core/grid/block-grid.ts'
import type { WorkerExit } from '../../core/workers/worker-state.ts'
import type { Listener } from '../../ports/listener.ts'
import type { LaunchedWorker, WorkerLauncher } from '../../ports/worker-launcher.ts'
import { describeRois } from '../../runtime/coordinator/task-description.ts'
import { checkingListener } from './checking-listener.ts'
import type { AskDone } from './lease-checks.ts'
import type { EngineMessage, TaskSpec } from './parent-messages.ts'

/** How long workers get to end by themselves when the run is over, and then the parent to end them. */
const LEAVE_MS = 3000
const END_MS = 10_000

/** Has the parent start workers, which connect by themselves. */
export class ParentLauncher implements WorkerLauncher {
  readonly #send: (message: EngineMessage) => void
  readonly #tasks: ReadonlyMap<string, TaskSpec>
  readonly #running = new Map<string, { readonly exited: Promise<void>; readonly end: (exit: WorkerExit) => void }>()
  readonly #questions = new Map<number, (done: readonly boolean[]) => void>()
  /** Of tasks whose blocks are asked about. */
  readonly #grids = new Map<string, BlockGrid>()
  #nextQuestion = 1

  constructor(tasks: readonly TaskSpec[], send: (message: EngineMessage) => void) {
    this.#send = send
    this.#tasks = new Map(tasks.map((task) => [task.id, task]))
  }

  launch(worker: string, session: string): Promise<LaunchedWorker> {
    return this.#launch(worker, session)
  }

  async #launch(worker: string, session: string, taskId?: string): Promise<LaunchedWorker> {
    const { promise: exited, resolve } = Promise.withResolvers<WorkerExit>()
    this.#running.set(worker, { exited: exited.then(() => {}), end: resolve })
    this.#send({ type: 'launch', worker, session, ...(taskId === undefined ? {} : { taskId }) })
    return { exited, kill: () => this.#kill(worker) }
  }

  #kill(worker: string): void {
    if (this.#running.has(worker)) this.#send({ type: 'kill', worker })
  }

  forTask(taskId: string): WorkerLauncher | undefined {
    if (!this.#tasks.get(taskId)?.ownWorkers) return undefined
    return {
      launch: (worker, session) => this.#launch(worker, session, taskId),
      async [Symbol.asyncDispose]() {},
    }
  }

  intercept(listener: Listener): Listener {
    const isAsked = [...this.#tasks.values()].some(({ asks }) => asks)
    return isAsked ? checkingListener(listener, this.#ask) : listener
  }

  readonly #ask: AskDone = ({ taskId, blocks }) => {
    const task = this.#tasks.get(taskId)
    if (!task?.asks) return undefined
    const grid = this.#gridOf(task)
    const rois = blocks.map((index) => describeRois({ grid }, index))
    const question = this.#nextQuestion++
    return new Promise((resolve) => {
      this.#questions.set(question, resolve)
      this.#send({ type: 'check', question, taskId, blocks, rois })
    })
  }

  #gridOf(task: TaskSpec): BlockGrid {
    const grid = this.#grids.get(task.id) ?? createBlockGrid({ ...task, taskId: task.id })
    this.#grids.set(task.id, grid)
    return grid
  }

  /** The parent's answer to a question. */
  answer(question: number, done: readonly boolean[]): void {
    this.#questions.get(question)?.(done)
    this.#questions.delete(question)
  }

  /** A worker has ended. */
  noteExit(worker: string, exit: WorkerExit): void {
    this.#running.get(worker)?.end(exit)
    this.#running.delete(worker)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#ended(LEAVE_MS)
    for (const worker of this.#running.keys()) this.#kill(worker)
    await this.#ended(END_MS)
  }

  /** Waits for all workers to end, at most so long. */
  async #ended(ms: number): Promise<void> {
    const { promise: overdue, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, ms)
    await Promise.race([Promise.all([...this.#running.values()].map(({ exited }) => exited)), overdue])
    clearTimeout(timer)
  }
}
