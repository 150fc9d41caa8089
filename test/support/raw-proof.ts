import { createHmac } from 'node:crypto'

/** A nonce for tests; workers use a random one for each connection. */
export const NONCE = 'ab'.repeat(32)

export const HELLO = { type: 'hello', protocol: 2, nonce: NONCE }

/** The proof as docs/PROTOCOL.md describes it, written independently of the source. */
export const proofFor = (
  token: string,
  role: 'coordinator' | 'worker',
  nonces: { readonly worker: string; readonly coordinator: string },
  fingerprint = '',
): string =>
  createHmac('sha256', token)
    .update(`bellis|${role}|2|${nonces.worker}|${nonces.coordinator}|${fingerprint}`)
    .digest('hex')

/** A worker's answer to a challenge that answered {@link HELLO}. @param line the challenge as it was received */
export function answerTo(line: string, token: string): { type: 'proof'; proof: string } {
  const { nonce } = JSON.parse(line)
  return { type: 'proof', proof: proofFor(token, 'worker', { worker: NONCE, coordinator: nonce }) }
}
