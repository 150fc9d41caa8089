import { InfrastructureError } from '../errors.ts'
import { PROTOCOL_VERSION } from './messages.ts'

/** @throws InfrastructureError `PROTOCOL_ERROR` when the worker speaks another version of the protocol */
export function assertSameProtocol(protocol: number): void {
  if (protocol === PROTOCOL_VERSION) return
  throw new InfrastructureError(
    'PROTOCOL_ERROR',
    `The worker speaks protocol version ${protocol}; this run speaks version ${PROTOCOL_VERSION}. Use the same version of Bellis everywhere.`,
  )
}
