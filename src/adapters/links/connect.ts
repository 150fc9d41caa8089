import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { ConfigError } from '../../core/errors.ts'
import { MAX_LINE_BYTES, type WorkerMessage } from '../../core/protocol/messages.ts'
import type { Channel } from '../../ports/channel.ts'
import type { RunContext } from './context.ts'
import { LineChannel } from './line-channel.ts'

/** Time limit for establishing a connection. */
const CONNECT_MS = 15_000

/**
 * Connects to a coordinator. With TLS, only to the one whose certificate the context names.
 * @throws ConfigError `UNAUTHORIZED` when it presents another certificate; a system error when it can't be reached
 */
export async function connectTo({ host, port, fingerprint }: RunContext): Promise<Channel<WorkerMessage>> {
  const limit = AbortSignal.timeout(CONNECT_MS)
  if (fingerprint === undefined) {
    const socket = connectTcp({ host, port, noDelay: true })
    await ready(socket, 'connect', limit)
    return new LineChannel(socket, { maxLineBytes: MAX_LINE_BYTES })
  }
  // The fingerprint identifies the certificate exactly, so no chain of signatures is needed. Nothing is sent before the check.
  const socket = connectTls({ host, port, rejectUnauthorized: false })
  await ready(socket, 'secureConnect', limit)
  const shown = fingerprintOf(socket)
  if (shown !== fingerprint) {
    socket.destroy()
    throw new ConfigError(
      'UNAUTHORIZED',
      `The coordinator at ${host}:${port} presented the certificate ${shown}; expected ${fingerprint}, as in the context. Nothing was sent to it. Check that the context is of this run.`,
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
