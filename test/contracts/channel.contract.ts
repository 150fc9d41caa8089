import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { Channel } from '../../src/ports/channel.ts'

/** The two ends of one channel, and a function that disposes of the transport below it. */
export interface ChannelPair {
  readonly here: Channel<unknown>
  readonly there: Channel<unknown>
  dispose(): Promise<void> | void
}

/** The contract of every channel between a coordinator and a worker. */
export function describeChannel(name: string, open: () => Promise<ChannelPair> | ChannelPair): void {
  describe(`a channel by ${name}`, () => {
    const withPair = (test: (pair: ChannelPair) => Promise<void>) => async () => {
      const pair = await open()
      try {
        await test(pair)
      } finally {
        pair.here.close()
        pair.there.close()
        await pair.dispose()
      }
    }

    it(
      'a channel carries messages both ways, complete and in order',
      withPair(async ({ here, there }) => {
        const sent = Array.from({ length: 500 }, (_, index) => ({
          type: 'm',
          index,
          text: 'zyx µ\n"'.repeat(index % 50),
        }))
        const atThere = collect(there, sent.length)
        const atHere = collect(here, sent.length)
        for (const message of sent) {
          here.send(message)
          there.send(message)
          if (message.index % 100 === 0) await setImmediate()
        }
        for (const received of [await atThere, await atHere]) {
          assert.equal(JSON.stringify(received), JSON.stringify(sent))
        }
      }),
    )

    it(
      'a channel carries a message of a megabyte',
      withPair(async ({ here, there }) => {
        const text = 'x'.repeat(1_000_000)
        const received = collect(there, 1)
        here.send({ text })
        assert.ok(((await received)[0] as { text: string }).text === text)
      }),
    )

    it(
      'a channel keeps messages that arrive before there is a receiver',
      withPair(async ({ here, there }) => {
        here.send(1)
        here.send(2)
        // Both have arrived by then.
        const answer = collect(here, 1)
        there.send('go')
        await answer
        assert.deepEqual(await collect(there, 2), [1, 2])
      }),
    )

    it(
      'a channel delivers messages to the receiver that was set last',
      withPair(async ({ here, there }) => {
        const first = collect(there, 1)
        here.send('first')
        assert.deepEqual(await first, ['first'])
        const second = collect(there, 1)
        here.send('second')
        assert.deepEqual(await second, ['second'])
      }),
    )

    it(
      'a closed channel delivers what was sent before, then reports its end on both sides',
      withPair(async ({ here, there }) => {
        const received: unknown[] = []
        there.onMessage((message) => received.push(message))
        for (let index = 0; index < 100; index++) here.send(index)
        here.close()
        await Promise.all([here.closed, there.closed])
        assert.equal(received.length, 100)
      }),
    )

    it(
      'a channel drops what is sent after its end, and may be closed twice',
      withPair(async ({ here, there }) => {
        const received: unknown[] = []
        there.onMessage((message) => received.push(message))
        here.close()
        here.send('late')
        here.close()
        await there.closed
        there.send('later')
        there.close()
        await here.closed
        assert.deepEqual(received, [])
      }),
    )
  })
}

/** The next messages of a channel. */
function collect(channel: Channel<unknown>, count: number): Promise<unknown[]> {
  const received: unknown[] = []
  return new Promise((resolve) => {
    channel.onMessage((message) => {
      received.push(message)
      if (received.length === count) resolve(received)
    })
  })
}
