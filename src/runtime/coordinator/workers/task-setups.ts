import type { RunningTask, Worker } from './pool.ts'

/** There may be thousands of workers, so these are lists of few tasks, which take less memory than sets, and no more than they need. */
interface Setups {
  /** Tasks that were described to the worker over its current connection. */
  described: readonly RunningTask[]
  /** Tasks that its process has set up. */
  setUp: readonly RunningTask[]
  /** The task that it could not set up. */
  failed: RunningTask | undefined
}

const NONE: readonly RunningTask[] = []

/** Which tasks each worker knows and has set up. */
export class TaskSetups {
  readonly #setups = new Map<Worker, Setups>()

  /** The worker has connected, for the first time or again: it needs the description of each task once more. */
  reconnect(worker: Worker): void {
    this.#of(worker).described = NONE
  }

  /** The worker's process was started again: it has nothing set up. */
  restart(worker: Worker): void {
    this.#of(worker).setUp = NONE
  }

  /** The worker gets a lease of a task. @returns whether the task has to be described to it first */
  describe(worker: Worker, task: RunningTask): boolean {
    const setups = this.#of(worker)
    if (setups.described.includes(task)) return false
    setups.described = [...setups.described, task]
    return true
  }

  /** @returns whether the worker had not reported before that it has set the task up */
  noteSetUp(worker: Worker, taskId: string): boolean {
    const setups = this.#of(worker)
    const task = setups.described.find(({ id }) => id === taskId)
    if (task === undefined || setups.setUp.includes(task)) return false
    setups.setUp = [...setups.setUp, task]
    return true
  }

  isSetUp(worker: Worker, task: RunningTask): boolean {
    return this.#setups.get(worker)?.setUp.includes(task) === true
  }

  noteFailed(worker: Worker, taskId: string): void {
    const setups = this.#of(worker)
    for (const task of setups.described) if (task.id === taskId) setups.failed = task
  }

  /** The task that the worker could not set up, if that is why it ends. */
  failedTask(worker: Worker): RunningTask | undefined {
    return this.#setups.get(worker)?.failed
  }

  forget(worker: Worker): void {
    this.#setups.delete(worker)
  }

  #of(worker: Worker): Setups {
    let setups = this.#setups.get(worker)
    if (setups === undefined) {
      setups = { described: NONE, setUp: NONE, failed: undefined }
      this.#setups.set(worker, setups)
    }
    return setups
  }
}
