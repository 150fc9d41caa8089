import assert from 'node:assert/strict'
import { appendFileSync, readdirSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { BlocksFrame } from '../../../src/core/board/history-frames.ts'
import type { PictureEvent } from '../../../src/core/board/run-picture.ts'
import type { RunEvent } from '../../../src/core/events.ts'
import { HistoryReader } from '../../../src/entry/run-folder/history/history-reader.ts'
import { keepHistory } from '../../../src/entry/run-folder/history/history-writer.ts'
import { EventStream } from '../../../src/runtime/coordinator/event-stream.ts'
import { temporaryFolder } from '../../support/command-line.ts'

type Read =
  | { readonly what: 'begin'; readonly done: readonly (readonly number[] | undefined)[] }
  | { readonly what: BlocksFrame['kind'] | 'note'; readonly indices: readonly number[]; readonly worker: string }
  | { readonly what: PictureEvent['type'] }

/** A reader, and everything that it reads. */
function follow(folder: string) {
  const read: Read[] = []
  const reader = new HistoryReader(folder, {
    begin: (_, done) => read.push({ what: 'begin', done: done.map((bitmap) => bitmap && [...bitmap]) }),
    blocks: ({ kind, indices }, _, worker) => read.push({ what: kind, indices, worker }),
    event: ({ type }) => read.push({ what: type }),
    keepTimes: (_, indices, __, worker) => read.push({ what: 'note', indices, worker }),
  })
  const readAll = () => {
    while (reader.readOn());
    return read.splice(0)
  }
  return { readAll, [Symbol.dispose]: () => reader[Symbol.dispose]() }
}

// Also for tasks with too many blocks for a map.
const tasks = [{ id: 'a', blocks: 20_000_000 }]

function write(folder: string, events: readonly RunEvent[], { overwrite = false, done = [] as number[] } = {}): void {
  const stream = new EventStream()
  const doneOf = () => (done.length === 0 ? undefined : Uint8Array.from(done))
  using _ = keepHistory(folder, stream, { tasks, overwrite, doneOf })
  for (const event of events) stream.emit(event)
}

const leased = (indices: number[], workerId = 'w1'): RunEvent => ({
  type: 'blocks-leased',
  taskId: 'a',
  indices,
  workerId,
})
const done = (indices: number[], workerId = 'w1'): RunEvent => ({
  type: 'blocks-done',
  taskId: 'a',
  indices,
  ms: indices.map(() => 1.5),
  workerId,
})
const started: RunEvent = { type: 'worker-started', workerId: 'w1', pid: 4, host: 'here' }

describe('the history of a run', () => {
  it('can be read while it is written: every event once, in order', () => {
    using folder = temporaryFolder()
    using reader = follow(folder.path)
    assert.deepEqual(reader.readAll(), [])
    const stream = new EventStream()
    const history = keepHistory(folder.path, stream, { tasks, overwrite: false, doneOf: () => Uint8Array.of(5, 0, 0) })
    assert.deepEqual(reader.readAll(), [{ what: 'begin', done: [[5, 0, 0]] }])
    for (const event of [started, leased([1, 3]), leased([4], 'w2')]) stream.emit(event)
    stream.emit({ type: 'progress', tasks: [], seconds: 1, busyWorkers: 2 })
    stream.emit(done([1]))
    stream.emit({ type: 'run-finished', ok: false, seconds: 1, tasks: [] })
    history[Symbol.dispose]()
    assert.deepEqual(reader.readAll(), [
      { what: 'worker-started' },
      { what: 'leased', indices: [1, 3], worker: 'w1' },
      { what: 'leased', indices: [4], worker: 'w2' },
      { what: 'done', indices: [1], worker: 'w1' },
      { what: 'run-finished' },
    ])
    assert.deepEqual(reader.readAll(), [])
  })

  it('continues with the next start, even if the previous one was killed during a write', () => {
    using folder = temporaryFolder()
    using reader = follow(folder.path)
    write(folder.path, [leased([1]), done([1]), leased([2]), done([2])])
    const [first] = readdirSync(join(folder.path, 'history')) as [string]
    truncateSync(join(folder.path, 'history', first), 100)
    reader.readAll()
    appendFileSync(join(folder.path, 'history', first), Uint8Array.of(1, 200))
    write(folder.path, [leased([7])], { done: [6, 0, 0] })
    assert.deepEqual(reader.readAll().slice(-2), [
      { what: 'begin', done: [[6, 0, 0]] },
      { what: 'leased', indices: [7], worker: 'w1' },
    ])
  })

  it('of earlier starts has only which worker did which block', () => {
    using folder = temporaryFolder()
    write(folder.path, [started, leased([1]), done([1])])
    write(folder.path, [leased([2], 'w9'), done([2], 'w9')], { done: [2, 0, 0] })
    using reader = follow(folder.path)
    assert.deepEqual(reader.readAll(), [
      { what: 'note', indices: [1], worker: 'w1' },
      { what: 'begin', done: [[2, 0, 0]] },
      { what: 'leased', indices: [2], worker: 'w9' },
      { what: 'done', indices: [2], worker: 'w9' },
    ])
  })

  it('starts from scratch if the outputs are overwritten', () => {
    using folder = temporaryFolder()
    write(folder.path, [done([1])])
    write(folder.path, [done([2])], { overwrite: true })
    assert.deepEqual(readdirSync(join(folder.path, 'history')), ['000002'])
  })

  it('is read up to the damage if it is damaged', () => {
    using folder = temporaryFolder()
    write(folder.path, [leased([1]), done([1])])
    const [first] = readdirSync(join(folder.path, 'history')) as [string]
    const text = (json: string) => Buffer.concat([Uint8Array.of(0, json.length), Buffer.from(json)])
    const garbage = ['null', '{"type":"start","time":1,"done":["??"]}', '{"type":'].map(text)
    appendFileSync(join(folder.path, 'history', first), Buffer.concat(garbage))
    // Of kind 2, done: block 5 of task 0, by worker 0, in 0.01 ms.
    appendFileSync(join(folder.path, 'history', first), Uint8Array.of(2, 6, 9, 0, 0, 1, 10, 1))
    using reader = follow(folder.path)
    assert.deepEqual(reader.readAll().at(-1), { what: 'done', indices: [5], worker: 'w1' })
  })

  it('ends with a message if it is full', () => {
    using folder = temporaryFolder()
    const stream = new EventStream()
    using history = keepHistory(folder.path, stream, {
      tasks,
      overwrite: false,
      doneOf: () => undefined,
      maxBytes: 200,
    })
    for (let i = 0; i < 20; i++) stream.emit(started)
    history[Symbol.dispose]()
    using reader = follow(folder.path)
    assert.deepEqual(reader.readAll(), [{ what: 'begin', done: [undefined] }, { what: 'warning' }])
  })

  it('of earlier starts has half of its largest size, and the oldest of them are removed', () => {
    using folder = temporaryFolder()
    const sizes = (maxBytes: number) => {
      const stream = new EventStream()
      using history = keepHistory(folder.path, stream, { tasks, overwrite: false, doneOf: () => undefined, maxBytes })
      for (let i = 0; i < 20; i++) stream.emit(started)
      history[Symbol.dispose]()
      return readdirSync(join(folder.path, 'history'))
    }
    const [first] = sizes(1e6) as [string]
    const { size } = statSync(join(folder.path, 'history', first))
    assert.equal(sizes(4 * size + 100).length, 2)
    assert.equal(sizes(4 * size + 100).length, 3)
    assert.deepEqual(sizes(4 * size + 100), ['000002', '000003', '000004'])
    assert.deepEqual(sizes(size), ['000005'])
  })

  it('is omitted if it cannot be written', () => {
    using folder = temporaryFolder()
    writeFileSync(join(folder.path, 'history'), 'a file')
    write(folder.path, [done([1])])
    using reader = follow(folder.path)
    assert.deepEqual(reader.readAll(), [])
  })
})
