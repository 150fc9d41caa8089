import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { describe, it } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import type { TaskCounts } from '../../../src/core/events.ts'
import { ProgressDisplay } from '../../../src/entry/cli/tasks/report/progress.ts'

/** A display whose time and output a test has in its hands. */
function displayOn({ isTTY = false, columns = 100, terminalType = 'xterm' }) {
  let written = ''
  let seconds = 0
  const writable = new Writable({
    write(chunk, _, done) {
      written += String(chunk)
      done()
    },
  })
  const stream = Object.assign(writable, { isTTY, columns }) as unknown as NodeJS.WriteStream
  const display = new ProgressDisplay({ stream, terminalType, now: () => 1 + seconds * 1000 })
  const setTime = (at: number) => {
    seconds = at
  }
  return { display, setTime, written: () => written }
}

/** The output for events at these seconds of the run. */
function show(
  terminal: Parameters<typeof displayOn>[0],
  ...events: readonly (readonly [seconds: number, ...tasks: TaskCounts[]])[]
): string {
  const { display, setTime, written } = displayOn(terminal)
  for (const [at, ...tasks] of events) {
    setTime(at)
    const busyWorkers = tasks.reduce((sum, { processing }) => sum + processing, 0)
    display.receive({ type: 'progress', seconds: at, tasks, busyWorkers })
  }
  return written()
}

function task(id: string, total: number, counts: Partial<TaskCounts> = {}): TaskCounts {
  const { skipped = 0, completed = 0, processing = 0, failed = 0, orphaned = 0 } = counts
  const pending = total - completed - processing - failed - orphaned
  return { id, total, pending, ready: 0, processing, completed, skipped, failed, orphaned }
}

/** The lines for attempts that failed at these seconds of the run. */
function notesOf(...failures: readonly (readonly [seconds: number, index: number, message: string])[]): string[] {
  const { display, setTime, written } = displayOn({})
  for (const [at, index, message] of failures) {
    setTime(at)
    const error = { code: 'BLOCK_FAILED', message } as const
    display.receive({ type: 'block-retried', taskId: 'mask', index, workerId: 'w1', attempt: 1, error })
  }
  return written().trimEnd().split('\n')
}

describe('notes', () => {
  it('are printed once for attempts that fail with the same error, then at most every 30 s with their number', () => {
    const same = Array.from({ length: 20 }, (_, index) => [index, index, `chunk ${index} is corrupt`] as const)
    assert.deepEqual(notesOf(...same, [21, 3, 'no such neuron'], [31, 40, 'chunk 40 is corrupt']), [
      'block mask/0 failed (attempt 1), retrying: chunk 0 is corrupt',
      'block mask/3 failed (attempt 1), retrying: no such neuron',
      'block mask/40 failed (attempt 1), retrying: chunk 40 is corrupt (and 19 more like this)',
    ])
  })
})

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

  /** The last line drawn for a task, without colours. */
  const lineAt = (columns: number, { id = 'smooth', ...counts }: Partial<TaskCounts> = {}): string => {
    const drawn = show({ isTTY: true, columns }, [60, task(id, 256, { completed: 64, processing: 8, ...counts })])
    return stripVTControlCharacters(drawn).trim()
  }

  it('shortens the bar of a narrow terminal, then leaves out details, the time left last, then the bar', () => {
    const rest = '64/256, 1.1 blocks/s, 3 min 00 s left, 8 running'
    assert.equal(lineAt(100), `smooth ${'━'.repeat(6)}${'─'.repeat(18)} ${rest}`)
    assert.equal(lineAt(70), `smooth ${'━'.repeat(2)}${'─'.repeat(6)} ${rest}`)
    assert.equal(lineAt(60), `smooth ${'━'.repeat(2)}${'─'.repeat(8)} 64/256, 1.1 blocks/s, 3 min 00 s left`)
    assert.equal(lineAt(42), `smooth ${'━'.repeat(2)}${'─'.repeat(6)} 64/256, 3 min 00 s left`)
    assert.equal(lineAt(34), 'smooth 64/256, 3 min 00 s left')
    assert.equal(lineAt(25), `smooth ${'━'.repeat(2)}${'─'.repeat(7)} 64/256`)
  })

  it('keeps the length of a bar while the numbers beside it change', () => {
    for (const columns of [60, 80, 100]) {
      const bars = [0, 1, 9, 64, 100, 255, 256].flatMap((completed) =>
        [1, 7, 60].map((seconds) => {
          const processing = Math.min(2, 256 - completed)
          const drawn = show(
            { isTTY: true, columns },
            [0, task('a', 256)],
            [seconds, task('a', 256, { completed, processing })],
          )
          const [, last = ''] = stripVTControlCharacters(drawn).trim().split('\n')
          return /[━─]+/.exec(last)?.[0].length
        }),
      )
      assert.deepEqual(new Set(bars).size, 1, `${columns}: ${bars}`)
    }
  })

  it('counts blocks that workers run, not those that they hold', () => {
    const { display, written } = displayOn({})
    display.receive({ type: 'progress', seconds: 0, tasks: [task('a', 30, { processing: 6 })], busyWorkers: 2 })
    assert.match(written(), /a 0\/30, 2 running/)
  })

  it('never draws a line that would wrap, whatever the name and the failures', () => {
    for (let columns = 20; columns <= 120; columns++) {
      for (const id of ['a', 'label-blocks', 'a-task-with-quite-a-long-name']) {
        const line = lineAt(columns, { id })
        assert.ok(line.length < columns, `${columns}: ${line}`)
        assert.match(line, / 64\/256/)
      }
    }
    assert.match(lineAt(60, { failed: 12, orphaned: 3 }), / 64\/256.*, 12 failed, 3 orphaned$/)
  })

  it('is plain lines on a terminal that cannot move its cursor', () => {
    const drawn = show({ isTTY: true, terminalType: 'dumb' }, [5, task('a', 30, { completed: 15, processing: 1 })])
    assert.equal(drawn, '5.0 s: a 15/30, 3 blocks/s, 5.0 s left, 1 running\n')
  })
})
