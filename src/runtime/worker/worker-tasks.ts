import { ConfigError, InfrastructureError } from '../../core/errors.ts'
import { makeRoi, type Roi } from '../../core/geometry/roi.ts'
import { type BlockGrid, createBlockGrid } from '../../core/grid/block-grid.ts'
import type { WireTask } from '../../core/protocol/messages.ts'
import type { TaskBlock } from '../tasks/task-options.ts'
import type { HeldLease } from './held-leases.ts'
import type { LoadedTask, WorkerOptions } from './worker-options.ts'

interface WorkerTask {
  readonly wire: WireTask
  readonly grid?: BlockGrid
  loaded?: LoadedTask
}

/** The tasks that the coordinator has described, each set up when its first block arrives. */
export class WorkerTasks {
  readonly #load: WorkerOptions['loadTask']
  readonly #tasks = new Map<string, WorkerTask>()

  constructor(load: WorkerOptions['loadTask']) {
    this.#load = load
  }

  /**
   * A task that is described again in the same way stays as it is. In another way, it is set up again: the worker has outlived a
   * coordinator, and the next one has started the run from scratch.
   */
  add(wire: WireTask): void {
    const { id, grid } = wire
    const known = this.#tasks.get(id)
    if (known !== undefined && JSON.stringify(known.wire) === JSON.stringify(wire)) return
    this.#tasks.set(id, { wire, ...(grid === undefined ? {} : { grid: createBlockGrid({ ...grid, taskId: id }) }) })
  }

  /** @throws InfrastructureError `PROTOCOL_ERROR` if neither the lease nor the task defines the Rois of its blocks */
  assertPlaced({ taskId, rois }: Pick<HeldLease, 'taskId' | 'rois'>): void {
    const task = this.#tasks.get(taskId)
    if (task === undefined || task.grid !== undefined || rois !== undefined) return
    throw new InfrastructureError(
      'PROTOCOL_ERROR',
      `A lease of "${taskId}" has no Rois, and the task has no grid; expected one of the two.`,
    )
  }

  /** @throws ConfigError `UNKNOWN_TASK`, and any error of its module or its `setup` */
  async setUp(taskId: string, workerId: string): Promise<LoadedTask> {
    const task = this.#tasks.get(taskId)
    if (task === undefined) {
      throw new ConfigError(
        'UNKNOWN_TASK',
        `The coordinator leased blocks of "${taskId}" before it described the task.`,
      )
    }
    task.loaded ??= await this.#load(task.wire, workerId)
    return task.loaded
  }

  /** The block at a place in a lease, with its Rois. */
  blockAt({ blocks, rois, taskId }: HeldLease, at: number): TaskBlock {
    const index = blocks[at] as number
    const given = rois?.[at]
    if (given !== undefined) {
      const [readRoi, writeRoi] = [given.read, given.write].map(({ offset, shape }) => makeRoi(offset, shape)) as [
        Roi,
        Roi,
      ]
      return { index, readRoi, writeRoi, taskId }
    }
    const { grid } = this.#tasks.get(taskId) as WorkerTask
    return { ...(grid as BlockGrid).block(index), taskId }
  }
}
