import { describe } from 'node:test'
import { fuzzTarget } from '../support/fuzz/fuzz-target.ts'

const hex = 'ab'.repeat(32)
const error = { code: 'BLOCK_FAILED', message: 'no such neuron', stack: 'Error: no\n  at "x"' }
const outcomes = [
  { status: 'done', ms: 1.5 },
  { status: 'failed', ms: 2, error },
  { status: 'skipped' },
  { status: 'returned' },
]
const box = { offset: [-1, 0], shape: [3, 3] }
const grid = { totalRoi: box, readRoi: box, writeRoi: box, fit: 'shrink', readWriteConflict: false }
const FROM_WORKERS = [
  { type: 'join', protocol: 2, worker: 'w1', session: 's', leases: [1], pid: 7, host: 'h', rois: true },
  { type: 'task-ready', taskId: 'a' },
  { type: 'outcomes', lease: 3, outcomes },
  { type: 'progress' },
  { type: 'usage', readBytes: 7, writtenBytes: 0, peakMemory: 2 ** 40 },
  { type: 'setup-failed', taskId: 'a', error },
  { type: 'dropped', lease: 9 },
  { type: 'hello', protocol: 1, token: 't' },
]
const FROM_RUNS = [
  { type: 'welcome', protocol: 2, workerId: 'w', session: 's', heartbeatMs: 1, leases: [{ lease: 1, reported: 0 }] },
  {
    type: 'task',
    task: {
      id: 'a',
      module: 'file:///a.ts',
      name: 'A',
      config: { a: [1] },
      unit: 'nm',
      folder: '/',
      grid,
      resources: { gpu: [1] },
    },
  },
  { type: 'lease', lease: 1, taskId: 'a', blocks: [1], rois: [{ read: box, write: box }] },
  { type: 'revoked', lease: 1 },
  { type: 'refused', code: 'RUN_OVER', message: 'over' },
]
const HANDSHAKES = [
  { type: 'hello', protocol: 2, nonce: hex },
  { type: 'challenge', protocol: 2, nonce: hex, proof: hex },
  { type: 'proof', proof: hex },
  { type: 'refused', code: 'UNAUTHORIZED', message: 'no' },
]
const texts = (messages: readonly object[]) => messages.map((message) => JSON.stringify(message))

describe('the protocol of workers', () => {
  fuzzTarget('protocol-lines', {
    kind: 'bytes',
    seeds: [`${texts(FROM_WORKERS).join('\n')}\n`, `${'['.repeat(400)}\n`, '"\\"'],
    dictionary: ['\n', '\\"', '"', '[', ']', '{', '\u2028'],
    maxLength: 40_000,
    codes: ['PROTOCOL_ERROR'],
    async load() {
      const { LineSplitter, parseLine } = await import('../../src/core/protocol/lines.ts')
      return (input) => {
        const splitter = new LineSplitter(20_000)
        const step = 1 + (input[0] ?? 0)
        for (let at = 0; at < input.length; at += step) {
          for (const line of splitter.take(input.subarray(at, at + step))) parseLine(new TextDecoder().decode(line))
        }
      }
    },
  })

  fuzzTarget('protocol-worker-messages', {
    kind: 'json',
    seeds: texts(FROM_WORKERS),
    codes: ['PROTOCOL_ERROR'],
    async load() {
      const { parseLine } = await import('../../src/core/protocol/lines.ts')
      const { parseWorkerMessage } = await import('../../src/core/protocol/parse.ts')
      return (input) => parseWorkerMessage(parseLine(new TextDecoder().decode(input)))
    },
  })

  fuzzTarget('protocol-run-messages', {
    kind: 'json',
    seeds: texts(FROM_RUNS),
    codes: ['PROTOCOL_ERROR'],
    async load() {
      const { parseLine } = await import('../../src/core/protocol/lines.ts')
      const { parseServerMessage } = await import('../../src/core/protocol/parse.ts')
      return (input) => parseServerMessage(parseLine(new TextDecoder().decode(input)))
    },
  })

  fuzzTarget('protocol-handshake', {
    kind: 'json',
    seeds: texts(HANDSHAKES),
    codes: ['PROTOCOL_ERROR'],
    async load() {
      const { parseLine } = await import('../../src/core/protocol/lines.ts')
      const { describeRefusal, isProof, parseAnswer, parseHello, parseProof } = await import(
        '../../src/core/protocol/handshake.ts'
      )
      const exchange = { workerNonce: hex, coordinatorNonce: hex }
      return (input) => {
        const message = parseLine(new TextDecoder().decode(input)) as { readonly type?: unknown } | null
        if (message?.type === 'hello') return parseHello(message)
        if (message?.type === 'proof') return isProof(parseProof(message).proof, 'worker', exchange, () => hex)
        const answer = parseAnswer(message)
        return answer.type === 'refused' ? describeRefusal(answer) : answer
      }
    },
  })
})
