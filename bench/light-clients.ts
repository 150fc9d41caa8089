// Many connections in one process, each a worker whose blocks only wait. They start once all are connected. Prints the time
// from an outcome to the next lease as JSON. Run with BELLIS_CONTEXT: node bench/light-clients.ts COUNT MS
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
  readonly task: { readonly id: string }
}

// The coordinator is the one that started this bench, so its own proof is not checked here.
const workerNonce = '0'.repeat(64)
const sign: Sign = (text) => createHmac('sha256', token).update(text).digest('hex')

const [count = 1, blockMs = 0] = process.argv.slice(2).map(Number)
const { host, port, token } = parseContext(process.env.BELLIS_CONTEXT ?? '')
const waits: number[] = []
let left = count
let welcome = 0
let startAll = () => {}
let start = { at: 0, cpu: process.cpuUsage() }
const allConnected = new Promise<void>((resolve) => {
  startAll = () => {
    start = { at: performance.now(), cpu: process.cpuUsage() }
    resolve()
  }
})

for (let index = 0; index < count; index++) {
  const socket = connect({ host, port, noDelay: true })
  let rest = ''
  let askedAt = 0
  const send = (message: unknown) => socket.write(`${JSON.stringify(message)}\n`)
  send({ type: 'hello', protocol: PROTOCOL_VERSION, nonce: workerNonce })
  socket.setEncoding('latin1')
  socket.on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) receive(JSON.parse(line), socket)
  })
  // The run may end before the last goodbye is sent.
  socket.on('error', () => {})
  socket.on('close', () => {
    if (--left === 0) report()
  })
  const work = async ({ lease, blocks }: { lease: number; blocks: number[] }) => {
    await allConnected
    if (blockMs > 1) await setTimeout(blockMs * blocks.length)
    send({ type: 'outcomes', lease, outcomes: blocks.map(() => ({ status: 'done', ms: blockMs })) })
    askedAt = performance.now()
  }
  const receive = (message: Message, from: Socket) => {
    switch (message.type) {
      case 'challenge':
        send({ type: 'proof', proof: proofOf('worker', { workerNonce, coordinatorNonce: message.nonce }, sign) })
        send({ type: 'join', protocol: PROTOCOL_VERSION, pid: process.pid, host: 'bench' })
        break
      case 'welcome':
        if (++welcome === count) startAll()
        break
      case 'task':
        send({ type: 'task-ready', taskId: message.task.id })
        break
      case 'lease':
        if (askedAt > 0) waits.push(performance.now() - askedAt)
        void work(message)
        break
      case 'drain':
        send({ type: 'goodbye' })
        from.end()
        break
      default:
    }
  }
}

function report(): void {
  const { user, system } = process.cpuUsage(start.cpu)
  const cpuShare = (user + system) / 1000 / (performance.now() - start.at)
  waits.sort((a, b) => a - b)
  const at = (share: number) => waits[Math.floor((waits.length - 1) * share)] ?? 0
  console.log(JSON.stringify({ leases: waits.length, p50: at(0.5), p99: at(0.99), cpuShare }))
}
