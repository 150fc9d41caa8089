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
