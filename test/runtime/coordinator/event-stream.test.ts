import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { RunEvent } from '../../../src/core/events.ts'
import { EventStream } from '../../../src/runtime/coordinator/event-stream.ts'
import { line, runInline } from '../../support/inline-run.ts'

const TYPES = Object.keys({
  'run-started': 1,
  progress: 1,
  'blocks-leased': 1,
  'blocks-done': 1,
  'blocks-returned': 1,
  'block-retried': 1,
  'block-failed': 1,
  'worker-started': 1,
  'worker-died': 1,
  'worker-paused': 1,
  'worker-stalled': 1,
  'host-failing': 1,
  'worker-usage': 1,
  'worker-ended': 1,
  jobs: 1,
  store: 1,
  warning: 1,
  'task-abandoned': 1,
  packing: 1,
  packed: 1,
  stopping: 1,
  scaled: 1,
  retried: 1,
  reset: 1,
  'run-finished': 1,
} satisfies Record<RunEvent['type'], 1>)

describe('the events of a run', () => {
  it('all have a description', () => {
    const text = readFileSync(new URL('../../../docs/EVENTS.md', import.meta.url), 'utf8')
    const described = [...text.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, type]) => type)
    assert.deepEqual(described.sort(), [...TYPES].sort())
  })

  it('are dropped for a slow reader if they report blocks or outdated counts, but never if they report failures, workers or the end', async () => {
    const events = new EventStream()
    const reader = events[Symbol.asyncIterator]()
    const first = reader.next()
    await setImmediate()
    const error = { code: 'BLOCK_FAILED', message: 'no' } as const
    for (let index = 0; index < 30_000; index++) {
      events.emit({ type: 'blocks-done', taskId: 'a', indices: [index], ms: [1], workerId: 'w1' })
      if (index % 3 === 0) events.emit({ type: 'progress', tasks: [], seconds: index, busyWorkers: 1 })
      if (index % 3 === 0) events.emit({ type: 'progress', tasks: [], seconds: index + 0.5, busyWorkers: 1 })
      if (index % 10 === 0) {
        events.emit({ type: 'block-retried', taskId: 'a', index, workerId: 'w1', attempt: 1, error })
      }
      if (index % 100 === 0) events.emit({ type: 'worker-started', workerId: `w${index}`, pid: 1, host: 'here' })
    }
    events.emit({ type: 'run-finished', ok: true, seconds: 1, tasks: [] })
    const seen = new Map<string, number>()
    for (let next = await first; !next.done; next = await reader.next()) {
      seen.set(next.value.type, (seen.get(next.value.type) ?? 0) + 1)
    }
    assert.equal(seen.get('block-retried'), 3000)
    assert.equal(seen.get('worker-started'), 300)
    assert.equal(seen.get('run-finished'), 1)
    assert.ok((seen.get('progress') ?? 0) <= 10_001 && (seen.get('blocks-done') ?? 0) <= 10_001)
  })

  it('report once what each worker did, when it ends, and these reports add up to the result', async () => {
    const events: RunEvent[] = []
    const work = line('a', 40, () => setImmediate())
    const { workers } = await runInline([work], { workers: 3, onEvent: (event) => events.push(event) })
    const started = events.flatMap((event) => (event.type === 'worker-started' ? [event.workerId] : []))
    const ended = events.filter((event) => event.type === 'worker-ended')
    assert.deepEqual(ended.map(({ workerId }) => workerId).sort(), started.sort())
    assert.equal(events.at(-1)?.type, 'run-finished')
    assert.equal(
      ended.reduce((sum, { blocks }) => sum + blocks, 0),
      40,
    )
    for (const { seconds, workingSeconds } of ended) assert.ok(workingSeconds <= seconds)
    assert.deepEqual(
      workers.each,
      ended.map(({ type: _, ...use }) => use),
    )
    const sum = workers.each.reduce((total, { workingSeconds }) => total + workingSeconds, 0)
    assert.ok(Math.abs(sum - workers.workingSeconds) < 1e-9)
  })
})
