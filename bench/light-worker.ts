import { createHmac } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { parseContext } from '../src/adapters/links/context.ts'
import { proofOf, type Sign } from '../src/core/protocol/handshake.ts'
import { PROTOCOL_VERSION } from '../src/core/protocol/messages.ts'

interface Message {
  readonly type: string
  readonly nonce: string
  readonly lease: number
  readonly blocks: number[]
  readonly heartbeatMs: number
  readonly task: { readonly id: string }
}

export interface LightWorkerOptions {
  /** How long the next block takes, ms. */
  readonly blockMs: () => number
  /** Blocks start when this resolves. */
  readonly started: Promise<void>
  /** It is connected. */
  readonly onWelcome: () => void
  /** Time from an outcome to the next lease, ms. */
  readonly onWait: (ms: number) => void
  readonly host?: string
  /** Whether it says what it has read and written, and sends heartbeats, as real workers do. @default false */
  readonly reports?: boolean
}

// The coordinator is the one that started this bench, so its own proof is not checked here.
const workerNonce = '0'.repeat(64)

/** A connection that speaks the protocol as a worker does, and whose blocks only wait. Resolves when it has ended. */
export function lightWorker(context: string, options: LightWorkerOptions): Promise<void> {
  const { host, port, token } = parseContext(context)
  const sign: Sign = (text) => createHmac('sha256', token).update(text).digest('hex')
  const socket: Socket = connect({ host, port, noDelay: true })
  let rest = ''
  let askedAt = 0
  let bytes = 0
  let heartbeat: NodeJS.Timeout | undefined
  const send = (message: unknown) => socket.write(`${JSON.stringify(message)}\n`)
  const work = async ({ lease, blocks }: Message) => {
    await options.started
    const ms = options.blockMs()
    if (ms > 1) await setTimeout(ms * blocks.length)
    if (options.reports) send({ type: 'usage', readBytes: (bytes += 1e6), writtenBytes: bytes, peakMemory: 1e9 })
    send({ type: 'outcomes', lease, outcomes: blocks.map(() => ({ status: 'done', ms })) })
    askedAt = performance.now()
    heartbeat?.refresh()
  }
  const receive = (message: Message) => {
    switch (message.type) {
      case 'challenge':
        send({ type: 'proof', proof: proofOf('worker', { workerNonce, coordinatorNonce: message.nonce }, sign) })
        send({ type: 'join', protocol: PROTOCOL_VERSION, pid: process.pid, host: options.host ?? 'bench' })
        break
      case 'welcome':
        if (options.reports) heartbeat = setInterval(() => send({ type: 'heartbeat' }), message.heartbeatMs)
        options.onWelcome()
        break
      case 'task':
        send({ type: 'task-ready', taskId: message.task.id })
        break
      case 'lease':
        if (askedAt > 0) options.onWait(performance.now() - askedAt)
        void work(message)
        break
      case 'drain':
        send({ type: 'goodbye' })
        socket.end()
        break
      default:
    }
  }
  send({ type: 'hello', protocol: PROTOCOL_VERSION, nonce: workerNonce })
  socket.setEncoding('latin1')
  socket.on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) receive(JSON.parse(line))
  })
  // The run may end before the last goodbye is sent.
  socket.on('error', () => {})
  return new Promise((resolve) => {
    socket.on('close', () => {
      clearInterval(heartbeat)
      resolve()
    })
  })
}

/** @param values sorted by this */
export function quantiles(values: number[]): (share: number) => number {
  values.sort((a, b) => a - b)
  return (share) => values[Math.floor((values.length - 1) * share)] ?? 0
}
