import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  type EngineMessage,
  parseParentMessage,
  parseRunRequest,
  parseScheduleMessage,
  parseScheduleRequest,
} from '../../../src/entry/parent/parent-messages.ts'
import { readDocument } from '../../docs/markdown.ts'

const SENT = {
  listening: 1,
  launch: 1,
  kill: 1,
  check: 1,
  event: 1,
  dashboard: 1,
  result: 1,
  scheduled: 1,
  error: 1,
} satisfies Record<EngineMessage['type'], 1>

const PARSERS: Readonly<Record<string, (message: unknown) => object>> = {
  run: parseRunRequest,
  schedule: parseScheduleRequest,
  acquire: parseScheduleMessage,
  release: parseScheduleMessage,
  close: (message) => message as object,
}

describe('the messages between a parent and the engine', () => {
  const examples = readDocument('docs/ENGINE.md').blocks.map(({ text }) => JSON.parse(text))

  it('are documented as they are taken', () => {
    const received = examples.filter(({ type }) => !Object.hasOwn(SENT, type))
    const types = ['acquire', 'checked', 'close', 'exited', 'release', 'run', 'schedule', 'stop']
    assert.deepEqual(received.map(({ type }) => type).sort(), types)
    for (const example of received) {
      const parsed: Record<string, unknown> = { ...(PARSERS[example.type] ?? parseParentMessage)(example) }
      for (const key of Object.keys(example)) assert.ok(parsed[key] !== undefined, key)
    }
  })

  it('name the field that is invalid', () => {
    assert.throws(() => parseRunRequest({ type: 'run', directory: '/', pool: 'thread', tasks: [] }), {
      code: 'INVALID_CONFIG',
      message: /pool[\s\S]*tasks|tasks[\s\S]*pool/,
    })
    assert.throws(() => parseParentMessage({ type: 'checked', question: 1, done: [1] }), /done\[0\]/)
  })
})
