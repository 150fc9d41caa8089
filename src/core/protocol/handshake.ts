import { messageOf } from '../errors.ts'
import { asFields, asInteger, asName, type Fields, invalid } from './fields.ts'
import { type Challenge, type Hello, PROTOCOL_VERSION, type Proof, type ServerMessage } from './messages.ts'
import { parseServerMessage } from './parse.ts'
import { assertSameProtocol } from './version.ts'

// Each side proves that it knows the run's token, which itself is never sent. The proof is a keyed hash of the side's role, the
// version, a fresh random number of each side, and the certificate of the connection. So a proof can't be replayed in another
// connection, and the proof of one side can't be sent back to it as that of the other.

/** HMAC-SHA256 of a text, in lower-case hexadecimal; its key is the run's token, as the characters that the context shows. */
export type Sign = (text: string) => string

/** What both sides of a connection sign. */
export interface Exchange {
  readonly workerNonce: string
  readonly coordinatorNonce: string
  /** SHA-256 of the coordinator's certificate as this side sees it, hexadecimal. @default without TLS */
  readonly fingerprint?: string | undefined
}

type Role = 'coordinator' | 'worker'

/** 256 bits, in hexadecimal. */
const HEX_256 = /^[0-9a-f]{64}$/

/** The text whose keyed hash proves that the side with this role knows the token. */
export const signedText = (role: Role, { workerNonce, coordinatorNonce, fingerprint = '' }: Exchange): string =>
  ['bellis', role, PROTOCOL_VERSION, workerNonce, coordinatorNonce, fingerprint].join('|')

export const proofOf = (role: Role, exchange: Exchange, sign: Sign): string => sign(signedText(role, exchange))

/** Compares in a time that does not depend on where the two differ. */
export function isProof(shown: string, role: Role, exchange: Exchange, sign: Sign): boolean {
  const expected = proofOf(role, exchange, sign)
  let difference = shown.length ^ expected.length
  for (let at = 0; at < expected.length; at++) difference |= shown.charCodeAt(at) ^ expected.charCodeAt(at)
  return difference === 0
}

/**
 * The first message of a connection, as the coordinator expects it. Only these fields are looked at: the sender has proved
 * nothing yet.
 * @throws InfrastructureError `PROTOCOL_ERROR` for any other message or version
 */
export function parseHello(value: unknown): Hello {
  const message = asFields(value, 'message')
  if (message.type !== 'hello') throw invalid('type', message.type, 'hello')
  const protocol = asInteger(message, 'protocol')
  assertSameProtocol(protocol)
  return { type: 'hello', protocol, nonce: asHex(message, 'nonce') }
}

/** @throws InfrastructureError `PROTOCOL_ERROR` */
export function parseProof(value: unknown): Proof {
  const message = asFields(value, 'message')
  if (message.type !== 'proof') throw invalid('type', message.type, 'proof')
  return { type: 'proof', proof: asHex(message, 'proof') }
}

/** @throws InfrastructureError `PROTOCOL_ERROR` */
export function parseChallenge(value: unknown): Challenge {
  const message = asFields(value, 'message')
  if (message.type !== 'challenge') throw invalid('type', message.type, 'challenge')
  const protocol = asInteger(message, 'protocol')
  return { type: 'challenge', protocol, nonce: asHex(message, 'nonce'), proof: asHex(message, 'proof') }
}

type Refused = Extract<ServerMessage, { readonly type: 'refused' }>

/** The answer to a hello. @throws InfrastructureError `PROTOCOL_ERROR` */
export function parseAnswer(value: unknown): Challenge | Refused {
  const message = asFields(value, 'message')
  if (message.type !== 'refused') return parseChallenge(value)
  return parseServerMessage({ ...message, message: asName(message, 'message') }) as Refused
}

/**
 * Why a worker does not stay with a coordinator that refused its hello. The text of the refusal is shown as a JSON string, cut:
 * its sender has proved nothing.
 */
export function describeRefusal({ code, message }: Refused): string {
  const refusal = `it refused the hello (${code}: ${JSON.stringify(message.slice(0, 300))})`
  // A coordinator of this version asks for a proof before it checks whether a worker is authorized.
  if (code !== 'UNAUTHORIZED') return refusal
  return `${refusal}, as a run with protocol version 1 does; this worker speaks version ${PROTOCOL_VERSION}. Use the same version of Bellis everywhere.`
}

/** What is wrong with the answer of a coordinator. */
export const describeInvalidAnswer = (error: unknown): string =>
  `it did not answer the hello as a coordinator does (${messageOf(error)})`

function asHex(fields: Fields, name: string): string {
  const value = fields[name]
  if (typeof value === 'string' && HEX_256.test(value)) return value
  throw invalid(name, typeof value === 'string' ? value.slice(0, 16) : value, '64 hexadecimal digits')
}
