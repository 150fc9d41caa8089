import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { describe, it } from 'node:test'
import type { TaskCounts } from '../../../src/core/events.ts'
import { ProgressDisplay } from '../../../src/entry/cli/tasks/report/progress.ts'

/** The output for events at these seconds of the run. */
function show(
  { isTTY = false, columns = 100 },
  ...events: readonly (readonly [seconds: number, ...tasks: TaskCounts[]])[]
): string {
  let written = ''
  let seconds = 0
  const writable = new Writable({
    write(chunk, _, done) {
      written += String(chunk)
      done()
    },
  })
  const stream = Object.assign(writable, { isTTY, columns }) as unknown as NodeJS.WriteStream
  const display = new ProgressDisplay({ stream, now: () => 1 + seconds * 1000 })
  for (const [at, ...tasks] of events) {
    seconds = at
    display.receive({ type: 'progress', seconds, tasks, busyWorkers: 1 })
  }
  return written
}

function task(id: string, total: number, counts: Partial<TaskCounts> = {}): TaskCounts {
  const { skipped = 0, completed = 0, processing = 0, failed = 0, orphaned = 0 } = counts
  const pending = total - completed - processing - failed - orphaned
  return { id, total, pending, ready: 0, processing, completed, skipped, failed, orphaned }
}

describe('progress without a terminal', () => {
  it('is a line at most every 10 s, with the rate and the time left of each task, and what is running, failed or orphaned', () => {
    const lines = show(
      {},
      [0, task('a', 100, { processing: 2 }), task('b', 50)],
      [5, task('a', 100, { completed: 10, processing: 2 }), task('b', 50)],
      [10, task('a', 100, { completed: 20, processing: 2 }), task('b', 50)],
      [30, task('a', 100, { completed: 59, failed: 1, processing: 2 }), task('b', 50, { orphaned: 4, processing: 1 })],
      [50, task('a', 100, { completed: 99, failed: 1 }), task('b', 50, { orphaned: 4, completed: 6, processing: 2 })],
    )
    assert.deepEqual(lines.split('\n'), [
      '0.0 s: a 0/100, 2 running; b 0/50, 0 running',
      '10 s: a 20/100, 2 blocks/s, 40 s left, 2 running; b 0/50, 0 running',
      '30 s: a 59/100, 2.0 blocks/s, 20 s left, 2 running, 1 failed; b 0/50, 1 running, 4 orphaned',
      // The first block of b was running after 10 s, at the previous event.
      '50 s: a 99/100, 1 failed; b 6/50, 0.15 blocks/s, 4 min 27 s left, 2 running, 4 orphaned',
      '',
    ])
  })

  it('does not count blocks of earlier starts in the rate or the time left', () => {
    const resumed = { completed: 90, skipped: 80, processing: 1 }
    assert.equal(show({}, [5, task('a', 100, resumed)]), '5.0 s: a 90/100, 2 blocks/s, 5.0 s left, 1 running\n')
  })
})

describe('progress on a terminal', () => {
  it('is a bar for each task, redrawn in place, with the same content as without a terminal', () => {
    const [first, second] = [{ processing: 1 }, { completed: 15, failed: 1, processing: 1 }]
    const drawn = show({ isTTY: true }, [0, task('a', 30, first)], [5, task('a', 30, second)])
    const [before, after] = drawn.split('\u001b[1A\u001b[0J')
    assert.ok(before?.startsWith('\r\u001b[0Ja '), 'it starts at the start of a line')
    assert.match(before ?? '', /a \S*─{24}\S* 0\/30, 1 running/)
    assert.match(after ?? '', /15\/30, 3 blocks\/s, 4\.7 s left, 1 running\S*, 1 failed/)
  })

  it('omits the rate if the terminal is narrow', () => {
    const drawn = show({ isTTY: true, columns: 60 }, [5, task('a', 30, { completed: 15, processing: 1 })])
    assert.doesNotMatch(drawn, /blocks|running/)
  })
})
