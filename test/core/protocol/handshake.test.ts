import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { describe, it } from 'node:test'
import {
  isProof,
  parseAnswer,
  parseHello,
  parseProof,
  proofOf,
  type Sign,
  signedText,
} from '../../../src/core/protocol/handshake.ts'
import { proofFor } from '../../support/raw-proof.ts'

const [W, C, TOKEN] = ['12'.repeat(32), '34'.repeat(32), '6f1c0b1e9f6d4a0c8d6f2b8a4c9e7d35']
const exchange = { workerNonce: W, coordinatorNonce: C }
const sign: Sign = (text) => createHmac('sha256', TOKEN).update(text).digest('hex')

describe('a proof', () => {
  it('is the keyed hash of role, version, both numbers and the certificate', () => {
    assert.equal(signedText('worker', exchange), `bellis|worker|2|${W}|${C}|`)
    for (const role of ['coordinator', 'worker'] as const) {
      const nonces = { worker: W, coordinator: C }
      assert.equal(proofOf(role, exchange, sign), proofFor(TOKEN, role, nonces))
      assert.equal(proofOf(role, { ...exchange, fingerprint: 'ef' }, sign), proofFor(TOKEN, role, nonces, 'ef'))
    }
  })

  it('holds for its role, its connection, its certificate and its token alone', () => {
    const proof = proofOf('worker', exchange, sign)
    assert.ok(isProof(proof, 'worker', exchange, sign))
    assert.ok(!isProof(proof, 'coordinator', exchange, sign))
    assert.ok(!isProof(proof, 'worker', { ...exchange, workerNonce: C }, sign))
    assert.ok(!isProof(proof, 'worker', { ...exchange, coordinatorNonce: W }, sign))
    assert.ok(!isProof(proof, 'worker', { workerNonce: C, coordinatorNonce: W }, sign))
    assert.ok(!isProof(proof, 'worker', { ...exchange, fingerprint: '00' }, sign))
    assert.ok(!isProof(proof, 'worker', exchange, (text) => createHmac('sha256', 'x').update(text).digest('hex')))
  })

  it('is compared in full', () => {
    const proof = proofOf('worker', exchange, sign)
    for (let at = 0; at < proof.length; at++) {
      const other = proof[at] === '0' ? '1' : '0'
      assert.ok(!isProof(proof.slice(0, at) + other + proof.slice(at + 1), 'worker', exchange, sign))
    }
    for (const wrong of ['', proof.slice(1), `${proof}0`]) assert.ok(!isProof(wrong, 'worker', exchange, sign))
  })
})

describe('the messages of the handshake', () => {
  it('take numbers and proofs of 64 hexadecimal digits alone', () => {
    for (const wrong of ['', 'ab', `${W}0`, W.toUpperCase().replace('1', 'A'), `${W.slice(1)}|`, 7, null, undefined]) {
      for (const parse of [
        () => parseHello({ type: 'hello', protocol: 2, nonce: wrong }),
        () => parseProof({ type: 'proof', proof: wrong }),
        () => parseAnswer({ type: 'challenge', protocol: 2, nonce: wrong, proof: W }),
        () => parseAnswer({ type: 'challenge', protocol: 2, nonce: W, proof: wrong }),
      ]) {
        assert.throws(parse, { code: 'PROTOCOL_ERROR' })
      }
    }
  })

  it('of another version are refused with both versions, and what they contain is not repeated', () => {
    assert.throws(
      () => parseHello({ type: 'hello', protocol: 1, token: TOKEN, pid: 1, host: 'old' }),
      ({ code, message }: { code: string; message: string }) =>
        code === 'PROTOCOL_ERROR' && /version 1; this run speaks version 2/.test(message) && !message.includes(TOKEN),
    )
  })

  it('are no others: whatever else comes before a proof is refused', () => {
    for (const message of [{ type: 'join' }, { type: 'goodbye' }, {}, [], null, 'hello']) {
      assert.throws(() => parseHello(message), { code: 'PROTOCOL_ERROR' })
      assert.throws(() => parseProof(message), { code: 'PROTOCOL_ERROR' })
      assert.throws(() => parseAnswer(message), { code: 'PROTOCOL_ERROR' })
    }
  })
})
