import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe } from 'node:test'
import { FrameWriter } from '../../src/core/board/history-frames.ts'
import { fuzzTarget } from '../support/fuzz/fuzz-target.ts'

const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'bellis-fuzz-history-'))
mkdirSync(join(folder, 'history'))
after(() => rmSync(folder, { recursive: true }))

function history(): Uint8Array {
  const frames = new FrameWriter()
  const text = (value: object) => frames.text(new TextEncoder().encode(JSON.stringify(value)))
  text({ type: 'start', time: 1_700_000_000_000, done: ['c2BgAAAA', null] })
  text({ type: 'name', number: 0, name: 'w1' })
  text({ type: 'worker-started', workerId: 'w1', pid: 7, host: 'h', at: 5 })
  frames.blocks({ kind: 'leased', at: 10, task: 0, worker: 0, indices: [0, 1, 5], ms: [] })
  frames.blocks({ kind: 'done', at: 12, task: 0, worker: 0, indices: [0, 1], ms: [1.5, 0] })
  frames.blocks({ kind: 'returned', at: 13, task: 0, worker: 0, indices: [5], ms: [] })
  const error = { code: 'BLOCK_FAILED', message: 'no' }
  text({ type: 'block-retried', taskId: 'a', index: 2, workerId: 'w1', attempt: 1, error, at: 14 })
  text({ type: 'block-failed', taskId: 'a', index: 2, workerId: 'w1', attempt: 3, error, at: 15 })
  text({ type: 'worker-died', workerId: 'w1', reason: 'x', returned: 1, at: 16 })
  text({ type: 'warning', message: 'w', at: 17 })
  text({ type: 'task-abandoned', taskId: 'a', error, at: 18 })
  text({ type: 'run-finished', ok: false, at: 20 })
  return frames.take().slice()
}

describe('the history of a run', () => {
  fuzzTarget('history', {
    kind: 'bytes',
    seeds: [history()],
    dictionary: [
      '"type":"block-failed"',
      '"at":',
      '"index":',
      '"taskId":"a"',
      'null',
      '1e308',
      '-1',
      '"number":4294967296',
    ],
    codes: [],
    async load() {
      const { HistoryReader } = await import('../../src/entry/run-folder/history/history-reader.ts')
      const { RunPicture } = await import('../../src/core/board/run-picture.ts')
      const box = { offset: [0], shape: [10] }
      const block = { offset: [0], shape: [1] }
      const grid = { totalRoi: box, readRoi: block, writeRoi: block, fit: 'shrink', readWriteConflict: false } as const
      return (input) => {
        writeFileSync(join(folder, 'history/000001'), input)
        const picture = new RunPicture([{ id: 'a', after: [], ...grid, transient: false }])
        using reader = new HistoryReader(folder, {
          begin: (time, done) => picture.begin(time, done),
          blocks: (frame, time, worker) => picture.blocks(frame, time, worker),
          event: (event, time) => picture.event(event, time),
          keepTimes: (task, indices, ms, worker) => picture.history.add(task, indices, ms, worker),
        })
        while (reader.readOn());
        picture.summary(1_700_000_001_000, 1)
      }
    },
  })
})
