import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { ConfigError } from '../../core/errors.ts'
import { MAX_LINE_BYTES, type WorkerMessage } from '../../core/protocol/messages.ts'
import type { Channel } from '../../ports/channel.ts'
import type { RunContext } from './context.ts'
import { LineChannel } from './line-channel.ts'

/** How long a connection may take to come about. */
const CONNECT_MS = 15_000

/**
 * Connects to a coordinator; with TLS, to the very one whose certificate the context names.
 * @throws ConfigError `UNAUTHORIZED` when it shows another certificate; what the system says when it is not reached
 */
export async function connectTo({ host, port, fingerprint }: RunContext): Promise<Channel<WorkerMessage>> {
  const limit = AbortSignal.timeout(CONNECT_MS)
  if (fingerprint === undefined) {
    const socket = connectTcp({ host, port, noDelay: true })
    await ready(socket, 'connect', limit)
    return new LineChannel(socket, { maxLineBytes: MAX_LINE_BYTES })
  }
  // The fingerprint says more than a chain of signatures would, and is checked before anything is sent.
  const socket = connectTls({ host, port, rejectUnauthorized: false })
  await ready(socket, 'secureConnect', limit)
  const shown = fingerprintOf(socket)
  if (shown !== fingerprint) {
    socket.destroy()
    throw new ConfigError(
      'UNAUTHORIZED',
      `The coordinator at ${host}:${port} shows the certificate ${shown}, not the one of the context; nothing was sent to it.`,
    )
  }
  return new LineChannel(socket, { maxLineBytes: MAX_LINE_BYTES })
}

async function ready(socket: Socket, event: string, signal: AbortSignal): Promise<void> {
  try {
    await once(socket, event, { signal })
  } catch (error) {
    socket.destroy()
    throw signal.aborted ? new Error(`no connection within ${CONNECT_MS / 1000} s`) : error
  }
}

const fingerprintOf = (socket: TLSSocket): string =>
  (socket.getPeerCertificate().fingerprint256 ?? '').replaceAll(':', '').toLowerCase()
