import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { ConfigError } from '../../core/errors.ts'
import { MAX_LINE_BYTES, MAX_UNPROVED_BYTES, type WorkerMessage } from '../../core/protocol/messages.ts'
import type { Channel } from '../../ports/channel.ts'
import type { RunContext } from './context.ts'
import { LineChannel } from './line-channel.ts'
import { proveWorker, type WorkerEnd } from './token-proof.ts'

/** Time limit for establishing a connection. */
const CONNECT_MS = 15_000
/** Time limit for the coordinator to prove itself. A frozen coordinator still accepts connections. */
const PROOF_MS = 30_000

/**
 * Connects to the coordinator of a context. Nothing is sent before a TLS certificate is the one of the context, and nothing but
 * a random number before the coordinator has proved that it knows the token, which itself is never sent.
 * @param signal aborts the attempt
 * @throws ConfigError `UNAUTHORIZED` or `PROTOCOL_ERROR` when another program listens there and the context can't change;
 * otherwise an error after which trying again makes sense
 */
export async function connectTo(context: RunContext, signal?: AbortSignal): Promise<Channel<WorkerMessage>> {
  const { host, port, token, fingerprint } = context
  const socket = await (fingerprint === undefined
    ? open(connectTcp({ host, port, noDelay: true }), 'connect', signal)
    : openTls(context, signal))
  const channel: WorkerEnd = new LineChannel(socket, { maxLineBytes: MAX_UNPROVED_BYTES })
  const stop = () => socket.destroy()
  signal?.addEventListener('abort', stop)
  const timer = setTimeout(stop, PROOF_MS)
  const verdict = await proveWorker(channel, { token, fingerprint })
  clearTimeout(timer)
  signal?.removeEventListener('abort', stop)
  switch (verdict.status) {
    case 'proved':
      channel.maxLineBytes = MAX_LINE_BYTES
      return channel as Channel<WorkerMessage>
    case 'unanswered':
      channel.close()
      throw new Error(verdict.reason)
    case 'stranger':
      socket.destroy()
      throw strangerError(verdict.code, context, verdict.reason)
    default:
      return verdict satisfies never
  }
}

async function openTls(context: RunContext, signal?: AbortSignal): Promise<TLSSocket> {
  const { host, port, fingerprint } = context
  // Loaded only here: most workers are on the machine of their run.
  const { connect: connectTls } = process.getBuiltinModule('node:tls')
  // The fingerprint identifies the certificate exactly, so no chain of signatures is needed. Nothing is sent before the check.
  const socket = await open(connectTls({ host, port, rejectUnauthorized: false }), 'secureConnect', signal).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ERR_SSL_WRONG_VERSION_NUMBER') throw error
      throw strangerError('PROTOCOL_ERROR', context, 'it does not speak TLS, which the context requires')
    },
  )
  const shown = fingerprintOf(socket)
  if (shown === fingerprint) return socket
  socket.destroy()
  throw strangerError(
    'UNAUTHORIZED',
    context,
    `it presented the certificate ${shown}; expected ${fingerprint}, as in the context`,
  )
}

/** A context from a run's file is read again before each attempt: the run may be started again, with another one. */
function strangerError(
  code: 'UNAUTHORIZED' | 'PROTOCOL_ERROR',
  { host, port, isRenewed = false }: RunContext,
  reason: string,
): Error {
  const message = `${host}:${port} is not the coordinator of this context: ${reason}. Nothing was sent to it. Check that the context is of this run.`
  return isRenewed ? new Error(message) : new ConfigError(code, message)
}

async function open<Opened extends Socket>(socket: Opened, event: string, signal?: AbortSignal): Promise<Opened> {
  const limit = AbortSignal.timeout(CONNECT_MS)
  try {
    await once(socket, event, { signal: signal === undefined ? limit : AbortSignal.any([limit, signal]) })
    return socket
  } catch (error) {
    socket.destroy()
    throw limit.aborted ? new Error(`no connection within ${CONNECT_MS / 1000} s`) : error
  }
}

const fingerprintOf = (socket: TLSSocket): string =>
  (socket.getPeerCertificate().fingerprint256 ?? '').replaceAll(':', '').toLowerCase()
