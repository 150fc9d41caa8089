import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { parseLine } from '../../../src/core/protocol/lines.ts'
import type { ServerMessage, WorkerMessage } from '../../../src/core/protocol/messages.ts'
import { parseServerMessage, parseWorkerMessage } from '../../../src/core/protocol/parse.ts'

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
const box = { offset: [-1, 0], shape: [3, 3] }
const grid = { totalRoi: box, readRoi: box, writeRoi: box, fit: 'shrink', readWriteConflict: false }
const outcomes = [
  { status: 'done', ms: 1.5 },
  { status: 'failed', ms: 2, error },
  { status: 'skipped' },
  { status: 'returned' },
]
/** One message of every type, with all optional fields. */
const GOOD: readonly (ServerMessage | WorkerMessage)[] = [
  { type: 'join', protocol: 1, worker: 'w1', session: 's', leases: [1], pid: 7, host: 'h', rois: true },
  { type: 'task-ready', taskId: 'a' },
  { type: 'outcomes', lease: 3, outcomes: outcomes as [] },
  { type: 'progress' },
  { type: 'usage', readBytes: 7, writtenBytes: 0, peakMemory: 2 ** 40 },
  { type: 'setup-failed', taskId: 'a', error: error as { code: 'BLOCK_FAILED'; message: string } },
  { type: 'dropped', lease: 9 },
  { type: 'heartbeat' },
  { type: 'goodbye' },
  { type: 'welcome', protocol: 1, workerId: 'w', session: 's', heartbeatMs: 1, leases: [{ lease: 1, reported: 0 }] },
  {
    type: 'task',
    task: {
      id: 'a',
      module: 'file:///a.ts',
      name: 'A',
      config: { a: [1] },
      unit: 'nm',
      folder: '/',
      grid: grid as never,
      resources: { gpu: [1, 2] },
    },
  },
  { type: 'lease', lease: 1, taskId: 'a', blocks: [1, 2, 3] },
  { type: 'lease', lease: 1, taskId: 'a', blocks: [1], rois: [{ read: box, write: box }] },
  { type: 'revoked', lease: 1 },
  { type: 'drain' },
  { type: 'refused', code: 'RUN_OVER', message: 'over' },
]
const TEXTS = GOOD.map((message) => JSON.stringify(message))
/** Values that most fields must refuse, and some may accept. */
const VALUES: readonly unknown[] = [
  ...[
    null,
    true,
    false,
    0,
    -1,
    0.5,
    1e308,
    2 ** 53,
    -(2 ** 60),
    '',
    'done',
    'x'.repeat(1025),
    [],
    {},
    [null],
    [-1],
    [[1]],
  ],
  ...[{ status: 'done' }, { status: 'failed', ms: 1 }, { code: 'a', message: 1 }, { type: 'goodbye' }, { offset: [0] }],
]
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

/** A well-formed message in which one to three values are replaced, removed or swapped. */
function mutateValues(random: (below: number) => number): string {
  const message = JSON.parse(TEXTS[random(TEXTS.length)] as string)
  for (let times = random(3); times >= 0; times--) {
    let holder: Record<string, unknown> = message
    let keys = Object.keys(holder)
    let key = keys[random(keys.length)] as string
    for (let inner = holder[key]; random(4) > 0 && typeof inner === 'object' && inner !== null; inner = holder[key]) {
      keys = Object.keys(inner)
      if (keys.length === 0) break
      holder = inner as Record<string, unknown>
      key = keys[random(keys.length)] as string
    }
    switch (random(4)) {
      case 0:
        delete holder[key]
        break
      case 1:
        holder[key] = JSON.parse(TEXTS[random(TEXTS.length)] as string)[key]
        break
      default:
        holder[key] = structuredClone(VALUES[random(VALUES.length)])
    }
    if (Object.keys(message).length === 0) break
  }
  return JSON.stringify(message)
}

/** A message whose text has one to four changes. */
function mutateText(random: (below: number) => number): string {
  let text = TEXTS[random(TEXTS.length)] as string
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
        text = text.slice(0, at) + (TEXTS[random(TEXTS.length)] as string).slice(random(40))
        break
      default:
        text = text.slice(0, end) + text.slice(at, end).repeat(random(5)) + text.slice(end)
    }
  }
  return text
}

const isWhole = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0
const isText = (value: unknown) => typeof value === 'string'
const isName = (value: unknown) => typeof value === 'string' && value.length <= 1024
const isError = (value: { code: string; message: string; stack?: string }) =>
  /^[A-Z][A-Z0-9_]*$/.test(value.code) &&
  typeof value.message === 'string' &&
  (value.stack === undefined || typeof value.stack === 'string')

/** The schema, written a second time independently. */
function isWorkers(message: WorkerMessage): boolean {
  switch (message.type) {
    case 'join':
      return (
        isWhole(message.protocol) &&
        isWhole(message.pid) &&
        isName(message.host) &&
        [message.worker, message.session].every((name) => name === undefined || isName(name)) &&
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
          if (!(outcome.ms >= 0 && outcome.ms < 2 ** 53)) return false
          return outcome.status === 'done' || (outcome.status === 'failed' && isError(outcome.error))
        })
      )
    case 'usage':
      return [message.readBytes, message.writtenBytes, message.peakMemory].every(isWhole)
    case 'setup-failed':
      return isName(message.taskId) && isError(message.error)
    case 'dropped':
      return isWhole(message.lease)
    case 'progress':
    case 'heartbeat':
    case 'goodbye':
      return Object.keys(message).length === 1
    default:
      return false
  }
}

const isRoi = ({ offset, shape }: { readonly offset: readonly number[]; readonly shape: readonly number[] }) =>
  offset.length === shape.length && [...offset, ...shape].every(Number.isSafeInteger)

function isServers(message: ServerMessage): boolean {
  switch (message.type) {
    case 'welcome':
      return (
        [message.protocol, message.heartbeatMs].every(isWhole) &&
        [message.workerId, message.session].every(isName) &&
        message.leases.every(({ lease, reported }) => isWhole(lease) && isWhole(reported))
      )
    case 'task': {
      const { id, module, name, folder, unit, resources = {} } = message.task
      const isNamed = [id, module, name, folder ?? '', unit].every((text) => typeof text === 'string')
      return isNamed && Object.values(resources).every((units) => units.every(isWhole))
    }
    case 'lease':
      return (
        isWhole(message.lease) &&
        isName(message.taskId) &&
        message.blocks.every(isWhole) &&
        (message.rois === undefined ||
          (message.rois.length === message.blocks.length &&
            message.rois.every(({ read, write }) => isRoi(read) && isRoi(write))))
      )
    case 'revoked':
      return isWhole(message.lease)
    case 'refused':
      return (
        /^(UNAUTHORIZED|PROTOCOL_ERROR|RUN_OVER|TOO_MANY_CONNECTIONS|TOO_LATE)$/.test(message.code) &&
        isText(message.message)
      )
    case 'heartbeat':
    case 'drain':
      return Object.keys(message).length === 1
    default:
      return false
  }
}

describe('the parser', () => {
  it('accepts only the valid ones of a million damaged messages, throws no unexpected error, and leaks no memory', (t) => {
    const random = randomNumbers(SEED)
    const counts = { noJson: 0, refused: 0, worker: 0, server: 0 }
    const { stackTraceLimit } = Error
    // Stack traces are not needed here, and take longer than the parser.
    Error.stackTraceLimit = 0
    t.after(() => {
      Error.stackTraceLimit = stackTraceLimit
    })
    let heapBefore = 0
    for (let done = 0; done < MESSAGES; done++) {
      if (done === 50_000) heapBefore = heapInUse()
      const text = random(2) === 0 ? mutateText(random) : mutateValues(random)
      let value: unknown
      try {
        value = parseLine(text)
      } catch (thrown) {
        assertRefusal(thrown, text)
        counts.noJson++
        continue
      }
      try {
        const message = parseWorkerMessage(value)
        if (!isWorkers(message)) assert.fail(`accepted: ${text}`)
        counts.worker++
      } catch (thrown) {
        assertRefusal(thrown, text)
        counts.refused++
      }
      try {
        const message = parseServerMessage(value)
        if (!isServers(message)) assert.fail(`accepted: ${text}`)
        counts.server++
      } catch (thrown) {
        assertRefusal(thrown, text)
      }
    }
    assert.ok(
      Object.values(counts).every((count) => count > MESSAGES / 50),
      JSON.stringify(counts),
    )
    const grown = heapInUse() - heapBefore
    t.diagnostic(`${MESSAGES} messages: ${JSON.stringify(counts)}`)
    // Keeping one text in ten would need more than this; V8 itself needs less.
    assert.ok(grown < 16e6, `the heap grew by ${grown} bytes`)
    assert.equal(({} as { type?: unknown }).type, undefined)
  })

  it('refuses a message that is nested too deeply before it is parsed, whatever its strings contain', () => {
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

/** Bytes in use after a garbage collection. */
function heapInUse(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc')
  collect()
  collect()
  return process.memoryUsage().heapUsed
}

function assertRefusal(thrown: unknown, text: string): void {
  const { code, message } = thrown as { code?: string; message: string }
  if (code === 'PROTOCOL_ERROR' && message.length < 400) return
  assert.fail(`${text} threw ${thrown}`)
}
