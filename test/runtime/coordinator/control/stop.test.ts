import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CommandRelay } from '../../../../src/entry/command-relay.ts'
import { settle } from '../../../support/fake-network.ts'
import { eventsOf, line, startLaunched } from '../../../support/manual-run.ts'

describe('the command to stop a run', () => {
  it('lets running blocks finish and hands out no others', async () => {
    const commands = new CommandRelay()
    const { seen, started, result, connect } = await startLaunched([line({ blocks: 3 }, { id: 'a' })], { commands })
    const worker = await connect(started[0]!)
    assert.deepEqual(await commands.carryOut({ type: 'stop', now: false }), { type: 'stopping', now: false })
    await settle()
    worker.last('drain')
    worker.finish(worker.last('lease'))
    await worker.leave()
    started[0]!.exit('exit code 0')
    const { ok, stopped, tasks } = await result
    assert.deepEqual([ok, stopped, tasks[0]?.completed], [false, true, 1])
    assert.deepEqual(
      eventsOf(seen, 'stopping').map(({ now }) => now),
      [false],
    )
    assert.equal(worker.all('lease').length, 1)
  })

  for (const how of ['a second time', 'at once']) {
    it(`ends running blocks if it comes ${how}, and they count as not done`, async () => {
      const commands = new CommandRelay()
      const { seen, started, result, connect } = await startLaunched([line({ blocks: 3 }, { id: 'a' })], { commands })
      const worker = await connect(started[0]!)
      if (how === 'a second time') await commands.carryOut({ type: 'stop', now: false })
      assert.equal(started[0]!.isKilled, false)
      const stopped = await commands.carryOut({ type: 'stop', now: how === 'at once' })
      assert.deepEqual(stopped, { type: 'stopping', now: true })
      assert.equal(started[0]!.isKilled, true)
      worker.channel.close()
      started[0]!.exit('killed by SIGKILL')
      const { stopped: isStopped, tasks } = await result
      assert.deepEqual([isStopped, tasks[0]?.ready, tasks[0]?.failed], [true, 3, 0])
      assert.deepEqual(eventsOf(seen, 'worker-died'), [])
    })
  }

  it('waits for a run that has not started its blocks, and is refused once it has ended', async () => {
    const commands = new CommandRelay()
    const stopping = commands.carryOut({ type: 'stop', now: false })
    const { result, started } = await startLaunched([line({ blocks: 1 })], { commands })
    assert.equal((await stopping).type, 'stopping')
    for (const { exit } of started) exit('killed by SIGKILL')
    assert.equal((await result).stopped, true)
    await assert.rejects(commands.carryOut({ type: 'stop', now: false }), { code: 'NOT_RUNNING' })
  })
})
