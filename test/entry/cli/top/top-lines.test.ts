// biome-ignore-all lint/suspicious/noControlCharactersInRegex: they are what terminals draw
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import type { RunSummary, WorkerSummary } from '../../../../src/core/board/summary.ts'
import { columnsOf } from '../../../../src/entry/cli/terminal.ts'
import { keysIn, NO_PROMPT, pressKey } from '../../../../src/entry/cli/top/top-keys.ts'
import { topLines } from '../../../../src/entry/cli/top/top-lines.ts'

const worker = (number: number): WorkerSummary => ({
  ...{ id: `w${number}`, host: 'a-node-with-a-long-name.cluster.example.org', pid: number, status: 'busy', task: 0 },
  ...{
    block: 1000 + number,
    since: 5000,
    done: 12_345,
    seconds: 100,
    workingSeconds: 93,
    peakMemory: 3e8,
    hasLog: true,
  },
})
const summary = {
  condition: 'running',
  isRemoved: false,
  now: 65_000,
  seconds: 200,
  etaSeconds: 600,
  tasks: [
    {
      ...{
        id: 'smooth-the-second-volume',
        total: 100_000,
        pending: 0,
        ready: 60_000,
        processing: 40,
        completed: 39_958,
      },
      ...{ skipped: 0, failed: 2, orphaned: 0, rate: 123.4, series: [] },
    },
  ],
  stepSeconds: 1,
  workers: Array.from({ length: 40 }, (_, at) => worker(at + 1)),
  workerCounts: { busy: 40, idle: 0, ended: 3 },
  failures: [7, 8].map((index) => ({
    ...{ task: 0, index, code: 'BLOCK_FAILED', attempts: 3, workerId: 'w1', time: 0 },
    message: `none of the vesicles that were expected was found\n\u001b[31min 京都 ${index}`,
  })),
  notes: [{ time: 0, text: 'The run has 40 workers instead of 8.' }],
  volumes: 0,
} satisfies RunSummary

const draw = (columns: number, rows: number, prompt: Parameters<typeof pressKey>[0] = NO_PROMPT) =>
  topLines(
    { run: 'smooth-out-smoothed-1a2b3c4d', summary, prompt, message: '' },
    { columns, rows, stream: process.stdout },
  )

describe('the screen of bellis top', () => {
  it('has no line that is wider, and not more lines than the terminal, whatever its size', () => {
    for (const columns of [20, 40, 60, 80, 132]) {
      for (const rows of [4, 6, 10, 24, 60]) {
        const lines = draw(columns, rows)
        assert.ok(lines.length <= rows, `${lines.length} lines in ${rows} rows`)
        if (columns < 60) continue
        for (const line of lines) assert.ok(columnsOf(line) < columns, `${columns}: ${line}`)
        assert.match(stripVTControlCharacters(lines.at(-1) ?? ''), /^s stop {2}w workers/)
      }
    }
  })

  it('shows tasks, workers and failures at 60 columns, and nothing of them controls the terminal', () => {
    const text = draw(60, 24).map(stripVTControlCharacters).join('\n')
    assert.match(text, /^smooth-out-smoothed-1a2b3c4d: running · 3 min 20 s · about/)
    assert.match(text, /39[\s,\u202f]?958\/100/)
    assert.match(text, /Workers: 40 busy, 0 idle, 3 ended\n {2}w1 smooth-the-second-volume\/1001 for 1 min/)
    assert.match(text, /… and \d+ more/)
    assert.match(text, /✘ smooth-the-second-volume\/7: none of the vesicles/)
    assert.match(text, /40 workers instead of 8/)
    assert.doesNotMatch(
      draw(60, 24)
        .join('\n')
        .replace(/\u001b\[\d+m/g, ''),
      /\u001b/,
    )
  })

  it('asks in its last line', () => {
    assert.match(draw(60, 10, { status: 'stop' }).at(-1) ?? '', /Stop the run\? y yes/)
    assert.match(draw(60, 10, { status: 'scale', typed: '2..' }).at(-1) ?? '', /Enter: 2\.\._/)
  })
})

describe('the keys of bellis top', () => {
  /** What is asked of the run when these are typed one after the other. */
  function type(text: string) {
    let prompt: Parameters<typeof pressKey>[0] = NO_PROMPT
    const asked: unknown[] = []
    for (const key of keysIn(text)) {
      const { prompt: next, command, leaves, complaint } = pressKey(prompt, key)
      prompt = next
      for (const effect of [command, leaves && 'leave', complaint]) if (effect) asked.push(effect)
    }
    return asked
  }

  it('stop the run after a question, and change its workers after a number', () => {
    assert.deepEqual(type('sy'), [{ type: 'stop', now: false }])
    assert.deepEqual(type('snsq'), [])
    assert.deepEqual(type('w12\u007f6\r'), [{ type: 'scale', workers: 16 }])
    assert.deepEqual(type('w2..16\r'), [{ type: 'scale', workers: 16, least: 2 }])
    assert.deepEqual(type('w8\u001b'), [])
    assert.deepEqual(type('w0\r'), ['"0": expected a number of workers, or a range such as 2..16'])
    assert.deepEqual(type('r'), [{ type: 'retry', keepWorkers: false }])
  })

  it('leave, and those of arrows mean nothing', () => {
    assert.deepEqual(type('\u001b[A\u001b[1;5Cxq'), ['leave'])
    assert.deepEqual(type('w1\u0003'), ['leave'])
  })
})
