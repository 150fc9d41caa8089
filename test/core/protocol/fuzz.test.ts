import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { WorkerMessage } from '../../../src/core/protocol/messages.ts'
import { parseLine, parseServerMessage, parseWorkerMessage } from '../../../src/core/protocol/parse.ts'

const MESSAGES = 1_000_000
const SEED = 20_261_122

/** mulberry32. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * below)
  }
}

const error = { code: 'BLOCK_FAILED', message: 'no such neuron', stack: 'Error: no\n  at "x"' }
const GOOD = [
  {
    type: 'hello',
    protocol: 1,
    token: 'abc',
    worker: 'w1',
    session: 's',
    leases: [1, 2],
    pid: 7,
    host: 'h',
    rois: true,
  },
  { type: 'task-ready', taskId: 'a' },
  {
    type: 'outcomes',
    lease: 3,
    outcomes: [
      { status: 'done', ms: 1.5 },
      { status: 'failed', ms: 2, error },
    ],
  },
  { type: 'outcomes', lease: 3, outcomes: [{ status: 'skipped' }, { status: 'returned' }] },
  { type: 'setup-failed', taskId: 'a', error },
  { type: 'dropped', lease: 9 },
  { type: 'heartbeat' },
  { type: 'goodbye' },
  { type: 'welcome', protocol: 1, workerId: 'w', session: 's', heartbeatMs: 1, leases: [{ lease: 1, reported: 0 }] },
  { type: 'lease', lease: 1, taskId: 'a', blocks: [1, 2, 3] },
  {
    type: 'lease',
    lease: 1,
    taskId: 'a',
    blocks: [1],
    rois: [{ read: { offset: [-1, 0], shape: [3, 3] }, write: { offset: [0, 0], shape: [2, 3] } }],
  },
  { type: 'task', task: { id: 'a', config: {}, unit: 'nm', folder: '/' } },
  { type: 'revoked', lease: 1 },
  { type: 'refused', code: 'RUN_OVER', message: 'over' },
].map((message) => JSON.stringify(message))
const PIECES = [
  'null',
  '-1',
  '1e999',
  '1e308',
  '9007199254740993',
  '0.5',
  '""',
  '[]',
  '{}',
  'true',
  '"__proto__"',
  '\\u0000',
  '"type":',
  '{"type":"goodbye"}',
  ',',
  ':',
  '"',
  '[[[[',
  '}',
  '\ud800',
  '"status":"done"',
] as const

/** A message with one to four things done to its text. */
function mutate(random: (below: number) => number): string {
  let text = GOOD[random(GOOD.length)] as string
  for (let times = random(4); times >= 0; times--) {
    const at = random(text.length + 1)
    const end = Math.min(text.length, at + random(12))
    const piece = PIECES[random(PIECES.length)] as string
    switch (random(6)) {
      case 0:
        text = text.slice(0, at) + text.slice(end)
        break
      case 1:
        text = text.slice(0, at) + String.fromCharCode(random(256)) + text.slice(at + 1)
        break
      case 2:
        text = text.slice(0, at) + piece + text.slice(at)
        break
      case 3: {
        // A value is replaced.
        const colon = text.indexOf(':', at)
        if (colon !== -1)
          text = `${text.slice(0, colon + 1)}${piece}${text.slice(text.slice(colon).search(/[,}\]]|$/) + colon)}`
        break
      }
      case 4:
        text = text.slice(0, at) + (GOOD[random(GOOD.length)] as string).slice(random(40))
        break
      default:
        text = text.slice(0, end) + text.slice(at, end).repeat(random(5)) + text.slice(end)
    }
  }
  return text
}

const isWhole = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0
const isName = (value: unknown) => typeof value === 'string' && value.length <= 1024
const isError = (value: { code: string; message: string; stack?: string }) =>
  /^[A-Z][A-Z0-9_]*$/.test(value.code) &&
  typeof value.message === 'string' &&
  (value.stack === undefined || typeof value.stack === 'string')

/** The schema once more, in other words. */
function isAllowed(message: WorkerMessage): boolean {
  switch (message.type) {
    case 'hello':
      return (
        isWhole(message.protocol) &&
        isWhole(message.pid) &&
        isName(message.host) &&
        [message.token, message.worker, message.session].every((name) => name === undefined || isName(name)) &&
        (message.leases === undefined || (Array.isArray(message.leases) && message.leases.every(isWhole))) &&
        (message.rois === undefined || typeof message.rois === 'boolean')
      )
    case 'task-ready':
      return isName(message.taskId)
    case 'outcomes':
      return (
        isWhole(message.lease) &&
        message.outcomes.every((outcome) => {
          if (outcome.status === 'skipped' || outcome.status === 'returned') return Object.keys(outcome).length === 1
          if (!(outcome.ms >= 0) || !Number.isFinite(outcome.ms)) return false
          return outcome.status === 'done' || (outcome.status === 'failed' && isError(outcome.error))
        })
      )
    case 'setup-failed':
      return isName(message.taskId) && isError(message.error)
    case 'dropped':
      return isWhole(message.lease)
    case 'heartbeat':
    case 'goodbye':
      return Object.keys(message).length === 1
    default:
      return false
  }
}

describe('the parser', () => {
  it('of a million broken messages takes none that is not allowed, throws nothing else, and keeps nothing', (t) => {
    const random = randomNumbers(SEED)
    const counts = { refused: 0, worker: 0, server: 0 }
    const { stackTraceLimit } = Error
    // A stack costs more than the parser; none is looked at.
    Error.stackTraceLimit = 0
    t.after(() => {
      Error.stackTraceLimit = stackTraceLimit
    })
    let heapBefore = 0
    for (let done = 0; done < MESSAGES; done++) {
      if (done === 50_000) heapBefore = heapInUse()
      const text = mutate(random)
      let value: unknown
      try {
        value = parseLine(text)
      } catch (thrown) {
        assertRefusal(thrown, text)
        counts.refused++
        continue
      }
      try {
        const message = parseWorkerMessage(value)
        if (!isAllowed(message)) assert.fail(`taken: ${text}`)
        counts.worker++
      } catch (thrown) {
        assertRefusal(thrown, text)
        counts.refused++
      }
      try {
        parseServerMessage(value)
        counts.server++
      } catch (thrown) {
        assertRefusal(thrown, text)
      }
    }
    assert.ok(
      counts.refused > MESSAGES / 4 && counts.worker > MESSAGES / 100 && counts.server > MESSAGES / 100,
      JSON.stringify(counts),
    )
    const grown = heapInUse() - heapBefore
    t.diagnostic(`${MESSAGES} messages: ${JSON.stringify(counts)}`)
    assert.ok(grown < 5e6, `the heap grew by ${grown} bytes`)
    assert.equal(({} as { type?: unknown }).type, undefined)
  })

  it('refuses what is nested too deeply before it is parsed, whatever stands in texts', () => {
    for (const [line, isRefused] of [
      ['['.repeat(4_000_000), true],
      [`{"a":${'['.repeat(100)}${']'.repeat(100)},"b":"${'x'.repeat(20_000)}"}`, true],
      [`{"a":"${'['.repeat(20_000)}"}`, false],
      [`{"a":"\\"${'[\\\\'.repeat(10_000)}"}`, false],
      [`[${'[],'.repeat(20_000)}[]]`, false],
    ] as const) {
      const parse = () => parseLine(line)
      if (isRefused) assert.throws(parse, { code: 'PROTOCOL_ERROR', message: /nested deeper than 64/ })
      else assert.doesNotThrow(parse)
    }
  })
})

/** Bytes, after everything that is garbage was collected. */
function heapInUse(): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  return process.memoryUsage().heapUsed
}

function assertRefusal(thrown: unknown, text: string): void {
  const { code, message } = thrown as { code?: string; message: string }
  if (code === 'PROTOCOL_ERROR' && message.length < 400) return
  assert.fail(`${text} threw ${thrown}`)
}
