import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { describe, it } from 'node:test'
import { messagesOf } from '../../../src/entry/parent/parent-link.ts'

const MIB = 2 ** 20
const LIMIT = 256 * MIB

/** A line that is sent in pieces of the same bytes. */
function* line(bytes: number, counts: { pieces: number }): Generator<Uint8Array> {
  const piece = new Uint8Array(MIB).fill(0x20)
  yield Buffer.from('{}')
  for (let left = bytes - 2; left > 0; left -= MIB) {
    counts.pieces++
    yield piece.subarray(0, Math.min(left, MIB))
  }
  yield Buffer.from('\n{"type":"next"}\n')
}

describe('the lines of a parent', () => {
  it('are refused above 256 MiB, before such a line has arrived', async () => {
    const counts = { pieces: 0 }
    const messages = messagesOf(Readable.from(line(2 * LIMIT, counts)))
    await assert.rejects(messages.next(), {
      code: 'INVALID_CONFIG',
      message: /^The engine: A line of \d+ bytes or more was received; expected at most 268435456\.$/,
    })
    assert.ok(counts.pieces < 300, String(counts.pieces))
  })

  it('are taken up to 256 MiB', async () => {
    const messages = messagesOf(Readable.from(line(LIMIT, { pieces: 0 })))
    assert.deepEqual((await messages.next()).value, {})
    assert.deepEqual((await messages.next()).value, { type: 'next' })
  })
})
