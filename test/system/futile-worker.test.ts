import assert from 'node:assert/strict'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { connectTo } from '../../src/adapters/links/connect.ts'
import { parseContext } from '../../src/adapters/links/context.ts'
import { PROTOCOL_VERSION, type ServerMessage } from '../../src/core/protocol/messages.ts'
import { bellis, temporaryFolder } from '../support/command-line.ts'
import { all, ran, sorted, startCount } from '../support/count-run.ts'

describe('a worker on the wire that hands back all blocks at once', () => {
  it('costs the run next to nothing, while another worker does all of them', async () => {
    using folder = temporaryFolder()
    const { run, invited, of } = startCount(folder.path, { blocks: 30, ms: 100 }, { pool: 'none' })
    const { context } = await invited
    const { host, port, token, fingerprint } = parseContext(context)
    const channel = await connectTo({ host, port, token, ...(fingerprint === undefined ? {} : { fingerprint }) })
    let leases = 0
    channel.onMessage((raw) => {
      const message = raw as ServerMessage
      if (message.type === 'drain') channel.close()
      if (message.type !== 'lease') return
      leases++
      const outcomes = message.blocks.map(() => ({ status: 'returned' }) as const)
      channel.send({ type: 'outcomes', lease: message.lease, outcomes })
    })
    channel.send({ type: 'join', protocol: PROTOCOL_VERSION, pid: 1, host: 'useless' })
    const { code, stderr } = await bellis(['worker'], {
      cwd: folder.path,
      env: { BELLIS_CONTEXT: context },
    })
    assert.equal(code, 0, stderr)
    const { ok } = await run.result
    assert.ok(ok)
    assert.deepEqual(sorted(ran(folder.path)), all(30))
    assert.ok(leases >= 3 && leases < 12, `${leases} leases`)
    const pauses = of('worker-paused').map(({ pauseMs }) => pauseMs)
    assert.ok(pauses.length >= 1)
    assert.deepEqual(pauses, sorted(pauses))
    const home = join(folder.path, '.bellis')
    const history = join(home, readdirSync(home)[0] as string, 'history', '000001')
    assert.ok(statSync(history).size < 20_000, `a history of ${statSync(history).size} bytes`)
  })
})
