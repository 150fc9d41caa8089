import { createHmac, randomBytes } from 'node:crypto'
import { InfrastructureError } from '../../core/errors.ts'
import {
  describeInvalidAnswer,
  describeRefusal,
  isProof,
  parseAnswer,
  parseHello,
  parseProof,
  proofOf,
  type Sign,
} from '../../core/protocol/handshake.ts'
import {
  type Challenge,
  type Hello,
  PROTOCOL_VERSION,
  type Proof,
  type ServerMessage,
  type WorkerMessage,
} from '../../core/protocol/messages.ts'
import type { LineChannel } from './line-channel.ts'

/** What both sides of a connection know before it: the run's token, and the certificate of the coordinator, if it has one. */
export interface Secret {
  readonly token: string
  readonly fingerprint?: string | undefined
}

/** The coordinator's end of a connection whose worker may not have proved itself yet. */
export type CoordinatorEnd = LineChannel<ServerMessage | Challenge>
/** The worker's end. */
export type WorkerEnd = LineChannel<WorkerMessage | Hello | Proof>

/**
 * Proves to a worker that this is its coordinator, and lets it prove itself.
 * @returns false if the connection ended first
 * @throws InfrastructureError `UNAUTHORIZED`, or `PROTOCOL_ERROR` for another version or an invalid message
 */
export async function proveCoordinator(channel: CoordinatorEnd, { token, fingerprint }: Secret): Promise<boolean> {
  const sign = signerWith(token)
  const first = await channel.next()
  if (first === undefined) return false
  const exchange = { workerNonce: parseHello(first).nonce, coordinatorNonce: newNonce(), fingerprint }
  const proof = proofOf('coordinator', exchange, sign)
  channel.send({ type: 'challenge', protocol: PROTOCOL_VERSION, nonce: exchange.coordinatorNonce, proof })
  const second = await channel.next()
  if (second === undefined) return false
  if (isProof(parseProof(second).proof, 'worker', exchange, sign)) return true
  throw new InfrastructureError(
    'UNAUTHORIZED',
    'The worker does not know the token of this run, which changes each time the run is started. Use the current context.',
  )
}

/** How the attempt of a worker to prove itself ended. */
export type Verdict =
  | { readonly status: 'proved' }
  /** Trying again may help: the connection ended, or the coordinator is busy. */
  | { readonly status: 'unanswered'; readonly reason: string }
  /** The other side is not the coordinator of the context, as far as this worker can know. */
  | { readonly status: 'stranger'; readonly code: 'UNAUTHORIZED' | 'PROTOCOL_ERROR'; readonly reason: string }

/** Lets the coordinator prove itself, and only then proves to it that this worker knows the token. */
export async function proveWorker(channel: WorkerEnd, { token, fingerprint }: Secret): Promise<Verdict> {
  const sign = signerWith(token)
  const workerNonce = newNonce()
  channel.send({ type: 'hello', protocol: PROTOCOL_VERSION, nonce: workerNonce })
  const raw = await channel.next()
  if (raw === undefined) return { status: 'unanswered', reason: 'the connection ended before the coordinator answered' }
  let answer: ReturnType<typeof parseAnswer>
  try {
    answer = parseAnswer(raw)
  } catch (error) {
    return { status: 'stranger', code: 'PROTOCOL_ERROR', reason: describeInvalidAnswer(error) }
  }
  if (answer.type === 'refused') {
    const { code } = answer
    const reason = describeRefusal(answer)
    if (code === 'TOO_MANY_CONNECTIONS' || code === 'TOO_LATE') return { status: 'unanswered', reason }
    return { status: 'stranger', code: 'PROTOCOL_ERROR', reason }
  }
  const exchange = { workerNonce, coordinatorNonce: answer.nonce, fingerprint }
  if (!isProof(answer.proof, 'coordinator', exchange, sign)) {
    const reason = "it does not know the context's token: it is another program, or the run was started again"
    return { status: 'stranger', code: 'UNAUTHORIZED', reason }
  }
  channel.send({ type: 'proof', proof: proofOf('worker', exchange, sign) })
  return { status: 'proved' }
}

const newNonce = (): string => randomBytes(32).toString('hex')

const signerWith =
  (token: string): Sign =>
  (text) =>
    createHmac('sha256', token).update(text).digest('hex')
