import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { parseContext } from '../../../../src/adapters/links/context.ts'
import { HELLO, NONCE } from '../../../support/raw-proof.ts'
import type { Site } from '../site.ts'
import type { FaultDuring } from './fault.ts'

const portOf = (site: Site): number | undefined => {
  const context = site.context()
  return context === undefined ? undefined : parseContext(context).port
}

const line = (message: unknown) => `${JSON.stringify(message)}\n`
/** What strangers say to the port of a coordinator. */
const SPEECHES: readonly (string | Uint8Array)[] = [
  '',
  '\n\n\n',
  'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n',
  Uint8Array.of(0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03),
  Uint8Array.from({ length: 4096 }, (_, i) => (i * 7919) & 255),
  'x'.repeat(100_000),
  `${'['.repeat(20_000)}\n`,
  '{"type":"hello"',
  line({ type: 'hello', protocol: 1, token: '0'.repeat(32) }),
  line({ type: 'hello', protocol: 2 ** 53 }),
  line({ ...HELLO, nonce: 7 }),
  line(HELLO),
  line(HELLO) + line({ type: 'proof', proof: NONCE }) + line({ type: 'join' }),
  line(HELLO) + line(HELLO),
  '{"__proto__":{"type":"hello"},"constructor":1}\n',
  line({ type: 'join', workerId: 'w1', session: 's' }),
  line({ type: 'outcomes', lease: 1, outcomes: [{ status: 'done' }] }),
]

const malformed: FaultDuring = {
  kind: 'strangers at the port',
  when: 'during',
  async strike(site, start) {
    const port = portOf(site)
    if (start.isOver || port === undefined) return false
    const { chance } = site.setting
    const sockets = Array.from({ length: chance.between(5, 60) }, () => {
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => {}).resume()
      socket.write(chance.pick(SPEECHES))
      if (chance.happens(0.3)) socket.end()
      return socket
    })
    await Promise.race([start.ended, wait(chance.between(50, 2000))])
    for (const socket of sockets) socket.destroy()
    return true
  },
}

/** Orders of one that is not the coordinator. A worker that obeys ends with 9. */
const ORDERS = [
  { type: 'challenge', protocol: 2, nonce: NONCE, proof: NONCE },
  { type: 'welcome', protocol: 2, workerId: 'w1', session: 's', heartbeatMs: 0, leases: [] },
  {
    type: 'task',
    task: { id: 'a', module: 'data:text/javascript,process.exit(9)', name: 'a', config: {}, unit: 'nm' },
  },
  { type: 'end' },
].map(line)

const impostor: FaultDuring = {
  kind: 'impostor at the port of a killed coordinator',
  when: 'during',
  suits: (site) => site.joined !== undefined,
  async strike(site, start) {
    const context = site.context()
    if (start.isOver || context === undefined) return false
    const { port, token } = parseContext(context)
    start.signal('SIGKILL')
    await start.ended
    const sockets = new Set<Socket>()
    const server = createServer((socket) => {
      sockets.add(socket)
      socket.setEncoding('utf8').on('error', () => {})
      socket.on('data', (text: string) => {
        if (text.includes(token)) site.complain('a worker sent the token to an impostor')
        socket.write(ORDERS.join(''))
      })
    })
    const isListening = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false))
      server.listen(port, '127.0.0.1', () => resolve(true))
    })
    await wait(site.setting.chance.between(200, 3000))
    for (const socket of sockets) socket.destroy()
    if (isListening) await new Promise((resolve) => server.close(resolve))
    return isListening
  },
  mayEnd: ({ code }) => code === 'SIGKILL',
}

export const STRANGERS: readonly FaultDuring[] = [malformed, impostor]
