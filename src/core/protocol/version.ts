import { InfrastructureError } from '../errors.ts'
import { PROTOCOL_VERSION } from './messages.ts'

/**
 * @param who the worker, as the message names it @default 'The worker'
 * @throws InfrastructureError `PROTOCOL_ERROR` if the worker speaks another version of the protocol
 */
export function assertSameProtocol(protocol: number, who = 'The worker'): void {
  if (protocol === PROTOCOL_VERSION) return
  throw new InfrastructureError(
    'PROTOCOL_ERROR',
    `${who} speaks protocol version ${protocol}; this run speaks version ${PROTOCOL_VERSION}. Use the same version of Bellis everywhere.`,
  )
}
