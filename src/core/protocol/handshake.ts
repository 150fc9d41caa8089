import { InfrastructureError } from '../errors.ts'
import { type Hello, PROTOCOL_VERSION, type WorkerMessage } from './messages.ts'

/**
 * The first message of a connection, as its coordinator expects it. Check the token before the version: a stranger learns
 * nothing about the run.
 * @throws InfrastructureError `PROTOCOL_ERROR` for any other message
 */
export function assertHello(message: WorkerMessage): Hello {
  if (message.type === 'hello') return message
  throw new InfrastructureError('PROTOCOL_ERROR', `The first message is "${message.type}"; expected "hello".`)
}

/** @throws InfrastructureError `PROTOCOL_ERROR` when the worker speaks another version of the protocol */
export function assertSameProtocol({ protocol }: Hello): void {
  if (protocol === PROTOCOL_VERSION) return
  throw new InfrastructureError(
    'PROTOCOL_ERROR',
    `The worker speaks protocol version ${protocol}; this run speaks version ${PROTOCOL_VERSION}. Use the same version of Bellis everywhere.`,
  )
}
