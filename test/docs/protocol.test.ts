import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseChallenge, parseHello, parseProof } from '../../src/core/protocol/handshake.ts'
import { MAX_DEPTH, MAX_LEASES, MAX_LINE_BYTES, MAX_UNPROVED_BYTES } from '../../src/core/protocol/messages.ts'
import { parseServerMessage, parseWorkerMessage } from '../../src/core/protocol/parse.ts'
import { proofFor } from '../support/raw-proof.ts'
import { readDocument } from './markdown.ts'

const { blocks, prose } = readDocument('docs/PROTOCOL.md')

type Parse = (value: unknown) => { readonly type: string }

/** The message types that a parser knows, taken from its own error. */
function typesOf(parse: Parse): string[] {
  try {
    parse({ type: '' })
  } catch (error) {
    const [, list = ''] = /expected (.*)\.$/.exec((error as Error).message) ?? []
    return list.split(/, | or /).sort()
  }
  throw new Error('a message without a type was taken')
}

describe('the wire', () => {
  const examples = blocks.filter(({ language }) => language === 'json').map(({ text }) => JSON.parse(text))
  const taken = (parse: Parse) =>
    examples.flatMap((example) => {
      try {
        return [{ example, message: parse(example) }]
      } catch {
        return []
      }
    })

  it('is documented with an example of every message, which its parser accepts unchanged', () => {
    for (const parse of [parseWorkerMessage, parseServerMessage]) {
      const shown = taken(parse)
      assert.deepEqual([...new Set(shown.map(({ message }) => message.type))].sort(), typesOf(parse))
      for (const { example, message } of shown) assert.deepEqual(message, example)
    }
  })

  it('is documented without an example that neither side accepts', () => {
    const parsers = [parseWorkerMessage, parseServerMessage, parseHello, parseChallenge, parseProof]
    const good = new Set(parsers.flatMap(taken).map(({ example }) => example))
    assert.deepEqual(
      examples.filter((example) => !good.has(example)),
      [],
    )
  })

  it('is shown with a handshake whose proofs are right', () => {
    const [, token = ''] = /for the token `([0-9a-f]{32})`, without TLS/.exec(prose) ?? []
    const [hello, challenge, proof] = [parseHello, parseChallenge, parseProof].map((parse) => taken(parse)[0]?.example)
    const nonces = { worker: hello.nonce, coordinator: challenge.nonce }
    assert.equal(challenge.proof, proofFor(token, 'coordinator', nonces))
    assert.equal(proof.proof, proofFor(token, 'worker', nonces))
  })

  it('has the documented limits', () => {
    for (const limit of [MAX_UNPROVED_BYTES, MAX_LINE_BYTES, MAX_DEPTH, MAX_LEASES]) {
      const text = limit < 10_000 ? String(limit) : String(limit).replace(/\B(?=(\d{3})+$)/g, ' ')
      assert.ok(prose.includes(`| ${text} |`), text)
    }
  })
})
