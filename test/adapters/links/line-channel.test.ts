import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { LineChannel } from '../../../src/adapters/links/line-channel.ts'
import type { Channel } from '../../../src/ports/channel.ts'
import { describeChannel } from '../../contracts/channel.contract.ts'
import { tcpPair, testTls } from '../../support/links.ts'

for (const [name, options] of [
  ['TCP', {}],
  ['TLS', { tls: testTls }],
] as const) {
  describeChannel(name, async () => {
    const { listener, worker, server } = await tcpPair(options)
    return {
      here: server as Channel<unknown>,
      there: worker as Channel<unknown>,
      dispose: () => listener[Symbol.asyncDispose](),
    }
  })
}

describe('a channel by lines', () => {
  it('keeps nothing of its handshake in memory while it stays open', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const { listener, worker, server } = await tcpPair()
    await using _ = listener
    const there = server as LineChannel<unknown>
    const message = await (async () => {
      const received = there.next()
      ;(worker as Channel<unknown>).send({ type: 'hello' })
      return new WeakRef((await received) as object)
    })()
    for (let turn = 0; turn < 10 && message.deref() !== undefined; turn++) {
      await setImmediate()
      collect()
    }
    assert.equal(message.deref(), undefined)
    const next = there.next()
    worker.close()
    assert.equal(await next, undefined)
    assert.equal(await there.next(), undefined)
  })
})
