import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RunEvent } from '../../src/core/events.ts'
import { keepHistory } from '../../src/entry/run-folder/history-writer.ts'
import { EventStream } from '../../src/runtime/coordinator/event-stream.ts'

export interface ToldTask {
  readonly id?: string
  /** Blocks per axis. */
  readonly shape: readonly number[]
  readonly after?: readonly string[]
}

/** A start of a run, of which a test tells what happens. */
export interface ToldRun extends Disposable {
  readonly folder: string
  tell(...events: readonly RunEvent[]): void
  /** Blocks are leased, and done. */
  done(indices: readonly number[], taskId?: string): void
}

/** Makes a run's folder with its document and its history, and no run. */
export function tellRun(
  folder: string,
  tasks: readonly ToldTask[],
  { progress = 'none', overwrite = false } = {},
): ToldRun {
  mkdirSync(folder, { recursive: true })
  const described = tasks.map(({ id = 'a', shape, after = [] }) => {
    const offset = shape.map(() => 0)
    const block = { offset, shape: shape.map(() => 1) }
    const grid = { totalRoi: { offset, shape }, readRoi: block, writeRoi: block }
    return { id, after, blocks: shape.reduce((all, length) => all * length, 1), unit: 'nm', grid }
  })
  const document = { created: '', directory: folder, progress, tasks: described }
  writeFileSync(join(folder, 'run.json'), JSON.stringify(document))
  const events = new EventStream()
  const history = keepHistory(folder, events, { tasks: described, overwrite, doneOf: () => undefined })
  const tell = (...told: readonly RunEvent[]) => {
    for (const event of told) events.emit(event)
  }
  return {
    folder,
    tell,
    done(indices, taskId = 'a') {
      tell({ type: 'blocks-leased', taskId, indices, workerId: 'w1' })
      tell({ type: 'blocks-done', taskId, indices, workerId: 'w1', ms: indices.map(() => 1) })
    },
    [Symbol.dispose]: () => history[Symbol.dispose](),
  }
}

/** The event that a block has failed. */
export const blockFailed = (index: number, message: string, workerId = 'w1'): RunEvent => {
  const roi = { offset: [index], shape: [1] }
  return {
    type: 'block-failed',
    taskId: 'a',
    failure: {
      ...{ index, block: `a/${index}`, readRoi: roi, writeRoi: roi },
      ...{ error: { code: 'BLOCK_FAILED', message }, attempts: 1, workerId },
    },
  }
}
