import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { CommandRelay } from '../../../../src/entry/command-relay.ts'
import { type ManualWorker, settle } from '../../../support/fake-network.ts'
import { eventsOf, line, type Started, startLaunched, startManual } from '../../../support/manual-run.ts'

const scaleOf = (commands: CommandRelay) => (workers: number) => commands.carryOut({ type: 'scale', workers })

/** A run that starts one worker. */
async function startScalable(blocks: number, options: Parameters<typeof startLaunched>[1] = {}) {
  const commands = new CommandRelay()
  const run = await startLaunched([line({ blocks }, { id: 'a' })], { commands, ...options })
  return { ...run, scale: scaleOf(commands) }
}

async function leave(worker: ManualWorker, { exit }: Started): Promise<void> {
  await worker.leave()
  exit('exit code 0')
  await settle()
}

describe('the command to change the number of workers', () => {
  it('starts workers, and no more than there are blocks left', async () => {
    const { started, scale, seen } = await startScalable(3)
    assert.equal(started.length, 1)
    assert.deepEqual(await scale(2), { type: 'scaled', workers: 2, before: 1 })
    assert.equal(started.length, 2)
    await scale(9)
    assert.equal(started.length, 3)
    assert.deepEqual(
      eventsOf(seen, 'scaled').map(({ workers, before }) => [workers, before]),
      [
        [2, 1],
        [9, 2],
      ],
    )
  })

  it('lets workers leave when their running block has ended, and does not replace them', async () => {
    const { started, scale, connect, clock, result, seen } = await startScalable(40, { workers: 3 })
    const workers = await Promise.all(started.map(connect))
    await scale(1)
    await settle()
    assert.deepEqual(
      workers.map((worker) => worker.all('drain').length),
      [0, 1, 1],
    )
    for (const [at, worker] of workers.entries()) {
      if (at === 0) continue
      worker.finish(worker.last('lease'))
      await settle()
      assert.equal(worker.all('lease').length, 1, 'it gets no further block')
      await leave(worker, started[at]!)
    }
    await clock.pass(60_000)
    assert.equal(started.length, 3)
    await workers[0]!.finishAll()
    started[0]!.exit('exit code 0')
    assert.equal((await result).tasks[0]?.completed, 40)
    assert.deepEqual(eventsOf(seen, 'worker-died'), [])
  })

  it('ends workers that are still starting first, which is no failure', async () => {
    const { started, scale, connect, clock, seen, result } = await startScalable(5, {
      workers: 3,
      maxWorkerRestarts: 0,
    })
    const worker = await connect(started[1]!)
    await scale(1)
    assert.deepEqual(
      started.map(({ isKilled }) => isKilled),
      [true, false, true],
    )
    for (const at of [0, 2]) started[at]!.exit('killed by SIGKILL')
    await clock.pass(60_000)
    assert.equal(started.length, 3)
    await worker.finishAll()
    started[1]!.exit('exit code 0')
    assert.equal((await result).ok, true)
    assert.deepEqual(eventsOf(seen, 'worker-died'), [])
  })

  it('replaces a worker that dies, up to the new number', async () => {
    const { started, scale, connect, clock } = await startScalable(40, { workers: 2 })
    const workers = await Promise.all(started.map(connect))
    await scale(1)
    for (const [at, worker] of workers.entries()) {
      worker.channel.close()
      started[at]!.exit('exit code 1')
    }
    await clock.pass(60_000)
    assert.equal(started.length, 3)
  })

  it('says for how many workers the resources are enough; without limits of the user, each has a processor', async () => {
    const options = { countsJoined: false, bindsWorkers: true, budget: { amounts: { cpu: 2 }, isOpen: false } }
    const limited = await startScalable(9, { resources: options })
    assert.deepEqual(await limited.scale(4), { type: 'scaled', workers: 4, before: 1, most: 2 })
    assert.equal(limited.started.length, 2)
    const following = await startScalable(9, { resources: { ...options, cpuFollowsWorkers: true } })
    assert.deepEqual(await following.scale(4), { type: 'scaled', workers: 4, before: 1 })
    const workers = await Promise.all(following.started.map(following.connect))
    assert.deepEqual(
      workers.map((worker) => worker.all('lease').length),
      [1, 1, 1, 1],
    )
  })

  it('is refused by a run that starts no workers, and by one that is stopping', async () => {
    const commands = new CommandRelay()
    await startManual([line({ blocks: 2 })], { commands })
    await assert.rejects(scaleOf(commands)(2), { code: 'UNSUPPORTED', message: /--pool none.*bellis worker/ })
    await commands.carryOut({ type: 'stop', now: false })
    await assert.rejects(scaleOf(commands)(2), { code: 'NOT_RUNNING' })
  })

  it('never lets more workers be there than asked for, and every block is done once, whatever happens meanwhile', async () => {
    const steps = fc.array(fc.tuple(fc.constantFrom('scale', 'join', 'finish', 'die', 'exit'), fc.nat(7)), {
      maxLength: 30,
    })
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), steps, async (first, decisions) => {
        const { started, scale, connect, clock, seen, result } = await startScalable(20, {
          workers: first,
          maxRetries: 50,
          maxWorkerRestarts: 99,
        })
        const joined = new Map<Started, ManualWorker>()
        const gone = new Set<Started>()
        const here = () => started.filter((one) => !gone.has(one))
        let limit = first
        const end = async (one: Started) => {
          gone.add(one)
          joined.get(one)?.channel.close()
          one.exit('exit code 1')
          await settle()
        }
        const finish = async (worker: ManualWorker) => {
          const lease = worker.unfinished
          if (lease === undefined) return
          worker.send({ type: 'task-ready', taskId: 'a' })
          worker.finish({ ...lease, blocks: lease.blocks })
          await settle()
        }
        for (const [what, pick] of decisions) {
          const one = here()[pick % Math.max(1, here().length)]
          if (what === 'scale') {
            limit = 1 + (pick % 5)
            await scale(limit).catch(({ code }) => assert.equal(code, 'NOT_RUNNING'))
          } else if (one === undefined) continue
          else if (what === 'join' && !joined.has(one) && !one.isKilled) joined.set(one, await connect(one))
          else if (what === 'finish' && joined.has(one)) await finish(joined.get(one)!)
          else if (what === 'die') await end(one)
          else if (what === 'exit' && joined.has(one) && joined.get(one)!.all('drain').length > 0) await end(one)
          await clock.pass(31_000)
          const staying = here().filter((each) => !each.isKilled && (joined.get(each)?.all('drain').length ?? 0) === 0)
          assert.ok(staying.length <= limit, `${staying.length} of ${limit}`)
        }
        for (let turn = 0; turn < 200 && eventsOf(seen, 'run-finished').length === 0; turn++) {
          for (const one of here()) {
            const worker = joined.get(one)
            if (one.isKilled) await end(one)
            else if (worker === undefined) joined.set(one, await connect(one))
            else if (worker.unfinished !== undefined) await finish(worker)
            else if (worker.all('drain').length > 0) await end(one)
          }
          await clock.pass(31_000)
        }
        assert.equal((await result).tasks[0]?.completed, 20)
        const done = eventsOf(seen, 'blocks-done').flatMap(({ indices }) => indices)
        assert.deepEqual(
          done.toSorted((a, b) => a - b),
          Array.from({ length: 20 }, (_, index) => index),
        )
      }),
      { numRuns: 60 },
    )
  })
})
