import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Join, ServerMessage, WorkerMessage } from '../../src/core/protocol/messages.ts'
import type { Channel } from '../../src/ports/channel.ts'
import type { Listener } from '../../src/ports/listener.ts'

/** A listener and how workers reach it. */
export interface OpenedListener extends AsyncDisposable {
  readonly listener: Listener
  /** Opens a connection of a worker that knows the token. */
  connect(): Promise<Channel<WorkerMessage>>
  /** @returns the code of the refusal for a worker that knows another token */
  connectWith(token: string): Promise<string>
  join(more?: Partial<Join>): Join
}

type Arrival = { readonly channel: Channel<ServerMessage>; readonly join: Join }

function nextArrival(listener: Listener): Promise<Arrival> {
  return new Promise((resolve) => listener.onArrival((channel, join) => resolve({ channel, join })))
}

const nextMessage = (channel: Channel<unknown>): Promise<unknown> =>
  new Promise((resolve) => channel.onMessage(resolve))

/** The contract of everything that workers connect to. */
export function describeListener(name: string, open: () => Promise<OpenedListener>): void {
  describe(`a listener by ${name}`, () => {
    it('a listener reports a worker that knows the token, with its message `join` and a channel to it', async () => {
      await using opened = await open()
      const { listener, connect } = opened
      const arrival = nextArrival(listener)
      const worker = await connect()
      const join = opened.join({ worker: 'w3', session: 's', leases: [1, 2] })
      worker.send(join)
      const { channel, join: seen } = await arrival
      assert.deepEqual(seen, join)
      channel.send({ type: 'drain' })
      assert.deepEqual(await nextMessage(worker), { type: 'drain' })
      worker.send({ type: 'goodbye' })
      assert.deepEqual(await nextMessage(channel), { type: 'goodbye' })
      worker.close()
      await channel.closed
    })

    it('a listener keeps workers that connect before anyone asks for them', async () => {
      await using opened = await open()
      const workers = [await opened.connect(), await opened.connect()]
      for (const [index, worker] of workers.entries()) worker.send(opened.join({ worker: `w${index}` }))
      // A third worker is refused; by then the listener has received the messages of the others, too.
      await opened.connectWith('0'.repeat(32))
      const arrived = new Set<string | undefined>()
      await new Promise<void>((resolve) => {
        opened.listener.onArrival((_, join) => {
          arrived.add(join.worker)
          if (arrived.size === 2) resolve()
        })
      })
      assert.deepEqual([...arrived].sort(), ['w0', 'w1'])
      for (const worker of workers) worker.close()
    })

    it('a listener reports every later worker to the receiver that was set last', async () => {
      await using opened = await open()
      const first = nextArrival(opened.listener)
      const one = await opened.connect()
      one.send(opened.join({ worker: 'w1' }))
      assert.equal((await first).join.worker, 'w1')
      const second = nextArrival(opened.listener)
      const two = await opened.connect()
      two.send(opened.join({ worker: 'w2' }))
      assert.equal((await second).join.worker, 'w2')
      one.close()
      two.close()
    })

    it('a listener refuses a worker that does not know the token, and reports it to nobody', async () => {
      await using opened = await open()
      let arrived = 0
      opened.listener.onArrival(() => arrived++)
      for (const token of ['', 'wrong', '0'.repeat(32)]) assert.equal(await opened.connectWith(token), 'UNAUTHORIZED')
      assert.equal(arrived, 0)
    })

    it('a listener never makes a session twice', async () => {
      await using opened = await open()
      const sessions = Array.from({ length: 100 }, () => opened.listener.newSession())
      assert.equal(new Set(sessions).size, sessions.length)
      for (const session of sessions) assert.ok(session.length >= 16, session)
    })

    it('a listener ends its connections when it is disposed', async () => {
      await using opened = await open()
      const arrival = nextArrival(opened.listener)
      const worker = await opened.connect()
      worker.send(opened.join())
      const { channel } = await arrival
      await opened[Symbol.asyncDispose]()
      await Promise.all([worker.closed, channel.closed])
      await assert.rejects(opened.connect())
    })
  })
}
