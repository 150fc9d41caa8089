import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RunEvent } from '../../src/core/events.ts'
import { keepHistory } from '../../src/entry/run-folder/history/history-writer.ts'
import { EventStream } from '../../src/runtime/coordinator/event-stream.ts'

export interface ReportedTask {
  readonly id?: string
  /** Blocks per axis. */
  readonly shape: readonly number[]
  readonly after?: readonly string[]
}

/** A start of a run whose events come from a test. */
export interface ReportedRun extends Disposable {
  readonly folder: string
  report(...events: readonly RunEvent[]): void
  /** Reports that blocks were leased and done. */
  done(indices: readonly number[], taskId?: string): void
}

/** Makes the folder of a run, with its document and its history, without a run. */
export function reportRun(
  folder: string,
  tasks: readonly ReportedTask[],
  { progress = 'none', overwrite = false } = {},
): ReportedRun {
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
  const report = (...reported: readonly RunEvent[]) => {
    for (const event of reported) events.emit(event)
  }
  return {
    folder,
    report,
    done(indices, taskId = 'a') {
      report({ type: 'blocks-leased', taskId, indices, workerId: 'w1' })
      report({ type: 'blocks-done', taskId, indices, workerId: 'w1', ms: indices.map(() => 1) })
    },
    [Symbol.dispose]: () => history[Symbol.dispose](),
  }
}

/** The event of a failed block. */
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
