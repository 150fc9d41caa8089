import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JobsReport } from '../../../src/core/events.ts'
import type { WorkerExit } from '../../../src/core/workers/worker-state.ts'
import type { LaunchedWorker } from '../../../src/ports/worker-launcher.ts'
import { jobLauncher } from '../../../src/runtime/launchers/job-launcher.ts'
import { ManualClock, settle } from '../../support/fake-network.ts'
import { MemoryQueue } from '../../support/memory-queue.ts'

function setUp() {
  const [clock, queue] = [new ManualClock(), new MemoryQueue()]
  const reports: JobsReport[] = []
  const launcher = jobLauncher({ queue, clock, onReport: (report) => reports.push(report) })
  const exits: (WorkerExit & { readonly worker: string })[] = []
  const launch = async (count: number, from = 1): Promise<LaunchedWorker[]> => {
    const names = Array.from({ length: count }, (_, index) => `w${from + index}`)
    const workers = await Promise.all(names.map((name) => launcher.launch(name, 'session')))
    for (const [index, worker] of workers.entries()) {
      void worker.exited.then((exit) => exits.push({ ...exit, worker: names[index] as string }))
    }
    return workers
  }
  return { clock, queue, reports, launcher, exits, launch }
}

describe('workers that are jobs', () => {
  it('are submitted together, each with its name, and say where they write', async () => {
    const { clock, queue, launch } = setUp()
    const [first, second] = await launch(2)
    await clock.pass(100)
    assert.deepEqual(queue.submissions, [['w1:session', 'w2:session']])
    assert.deepEqual([first?.logFile, second?.logFile], ['logs/1_0.log', 'logs/1_1.log'])
  })

  it('have ended when their job has, with why and what they said last', async () => {
    const { clock, queue, launch, exits } = setUp()
    await launch(2)
    await clock.pass(100)
    queue.states.set('1_1', { status: 'ended', reason: 'its job failed' })
    await clock.pass(2000)
    assert.deepEqual(exits, [{ worker: 'w2', reason: 'its job failed; memory job 1_1', lastOutput: 'said by 1_1' }])
  })

  it('are asked about less and less often, but soon when a link was lost or a job submitted', async () => {
    const { clock, queue, launch } = setUp()
    const [worker] = await launch(1)
    queue.states.set('1_0', { status: 'running', host: 'n1' })
    await clock.pass(3_600_000)
    const inAnHour = queue.statusCalls
    assert.ok(inAnHour > 100 && inAnHour < 135, `${inAnHour} calls`)
    worker?.noteConnection?.('out')
    await clock.pass(1100)
    assert.equal(queue.statusCalls, inAnHour + 1)
    await launch(1, 2)
    await clock.pass(1100)
    assert.equal(queue.statusCalls, inAnHour + 2)
  })

  it('stay as they were known while the system does not answer', async () => {
    const { clock, queue, launch, exits, reports } = setUp()
    await launch(1)
    await clock.pass(2000)
    queue.failing.status = 'QUEUE_UNAVAILABLE'
    const calls = queue.statusCalls
    await clock.pass(600_000)
    assert.ok(queue.statusCalls - calls < 20, `${queue.statusCalls - calls} calls`)
    assert.deepEqual(exits, [])
    assert.match(reports.at(-1)?.trouble ?? '', /^status failed \(going on with what was known before\)$/)
    queue.failing = {}
    queue.states.set('1_0', { status: 'ended', reason: 'its job failed' })
    await clock.pass(61_000)
    assert.equal(exits.length, 1)
    assert.equal(reports.at(-1)?.trouble, undefined)
  })

  it('that say goodbye have ended, whatever the system says or does not say', async () => {
    const { clock, queue, launch, exits } = setUp()
    const [worker] = await launch(1)
    await clock.pass(100)
    queue.hanging.add('status')
    worker?.noteConnection?.('in')
    worker?.noteConnection?.('left')
    await settle()
    assert.equal(exits[0]?.reason, 'it left; memory job 1_0')
  })

  it('with a link that outlives their job have ended when it ends, or a little later', async () => {
    const { clock, queue, launch, exits } = setUp()
    const workers = await launch(2)
    await clock.pass(100)
    for (const worker of workers) worker.noteConnection?.('in')
    await clock.pass(100)
    for (const id of ['1_0', '1_1']) queue.states.set(id, { status: 'ended', reason: 'its job was cancelled' })
    await clock.pass(1500)
    assert.deepEqual(exits, [])
    workers[0]?.noteConnection?.('out')
    await settle()
    assert.deepEqual(
      exits.map(({ worker }) => worker),
      ['w1'],
    )
    await clock.pass(2000)
    assert.deepEqual(
      exits.map(({ worker }) => worker),
      ['w1', 'w2'],
    )
  })

  it('are submitted again later while the system can’t be reached, and given up after some minutes', async () => {
    const { clock, queue, launch, exits, reports } = setUp()
    queue.failing.submit = 'QUEUE_UNAVAILABLE'
    await launch(3)
    await clock.pass(30_000)
    assert.equal(reports.at(-1)?.trouble, 'submit failed')
    assert.equal(reports.at(-1)?.waiting, 3)
    queue.failing = {}
    await clock.pass(60_000)
    assert.equal(queue.states.size, 3)
    assert.equal(reports.at(-1)?.trouble, undefined)
    queue.failing.submit = 'QUEUE_UNAVAILABLE'
    await launch(1, 4)
    await clock.pass(900_000)
    assert.deepEqual(exits, [{ worker: 'w4', reason: 'submit failed', lastOutput: '' }])
  })

  it('are submitted in smaller parts where the system does not take so many, and the rest when there is room', async () => {
    const { clock, queue, launch, exits } = setUp()
    queue.maxJobs = 3
    await launch(8)
    await clock.pass(1000)
    assert.equal(queue.states.size, 3)
    assert.deepEqual(
      queue.submissions.map(({ length }) => length),
      [8, 4, 2, 2, 1, 1],
    )
    queue.maxJobs = 8
    await clock.pass(61_000)
    assert.equal(queue.states.size, 8)
    assert.deepEqual(new Set(queue.workers.values()).size, 8)
    assert.deepEqual(exits, [])
  })

  it('end at once with the system’s words when it refuses even one', async () => {
    const { clock, queue, launch, exits } = setUp()
    queue.failing.submit = 'JOB_REFUSED'
    await launch(100)
    await clock.pass(100)
    assert.equal(exits.length, 100)
    assert.equal(exits[0]?.reason, 'submit failed')
    assert.ok(queue.submissions.length < 10, `${queue.submissions.length} submissions`)
  })

  it('are ended together in one call, also when that call hangs or fails', async () => {
    for (const trouble of ['none', 'hangs', 'fails'] as const) {
      const { clock, queue, launch, exits } = setUp()
      const workers = await launch(5)
      await clock.pass(100)
      if (trouble === 'hangs') queue.hanging.add('cancel')
      if (trouble === 'fails') queue.failing.cancel = 'QUEUE_UNAVAILABLE'
      for (const worker of workers) worker.kill()
      for (const worker of workers) worker.kill()
      await clock.pass(trouble === 'hangs' ? 6000 : 100)
      assert.equal(queue.cancelled.length, 1, trouble)
      assert.equal(queue.cancelled[0]?.filter((id, at, all) => all.indexOf(id) === at).length, 5)
      assert.equal(exits.length, 5, trouble)
    }
  })

  it('that are called off before they are submitted never are; during that, or after, they are cancelled', async () => {
    const { clock, queue, launch, exits } = setUp()
    const { promise, resolve } = Promise.withResolvers<void>()
    queue.gate = promise
    const [early, during, late] = await launch(3)
    early?.kill()
    await clock.pass(100)
    assert.deepEqual(queue.submissions, [['w2:session', 'w3:session']])
    during?.kill()
    resolve()
    await clock.pass(100)
    assert.deepEqual(queue.cancelled, [['1_0']])
    late?.kill()
    await clock.pass(100)
    assert.deepEqual(queue.cancelled, [['1_0'], ['1_1']])
    assert.deepEqual(
      exits.map(({ worker, reason }) => `${worker}: ${reason}`),
      ['w1: it was called off', 'w2: it was called off', 'w3: its job was ended; memory job 1_1'],
    )
  })

  it('are said to be pending, and why, when that has lasted for some seconds', async () => {
    const { clock, queue, launch, reports } = setUp()
    const workers = await launch(3)
    await clock.pass(3000)
    assert.deepEqual(reports.at(-1)?.reasons, [])
    queue.states.set('1_2', { status: 'running', host: 'n1' })
    queue.states.set('1_1', { status: 'pending', reason: 'Priority' })
    queue.states.set('1_0', { status: 'pending', reason: 'Priority' })
    workers[2]?.noteConnection?.('in')
    await clock.pass(10_000)
    const { pending, running, reasons } = reports.at(-1) as JobsReport
    assert.deepEqual(
      { pending, running, reasons },
      { pending: 2, running: 1, reasons: [{ reason: 'Priority', count: 2 }] },
    )
    const told = reports.length
    await clock.pass(600_000)
    assert.equal(reports.length, told)
  })

  it('are said to be absent when their jobs run and they have never come in, until they do', async () => {
    const { clock, queue, launch, reports } = setUp()
    const [first, second] = await launch(2)
    await clock.pass(100)
    for (const id of ['1_0', '1_1']) queue.states.set(id, { status: 'running', host: 'n1' })
    await clock.pass(5000)
    first?.noteConnection?.('in')
    first?.noteConnection?.('out')
    assert.equal(reports.at(-1)?.absent, undefined)
    await clock.pass(60_000)
    assert.deepEqual(reports.at(-1)?.absent, { count: 1, logFile: 'logs/1_1.log' })
    second?.noteConnection?.('in')
    await clock.pass(60_000)
    assert.equal(reports.at(-1)?.absent, undefined)
  })

  it('end with the launcher, also while a submission hangs, and twice is no error', async () => {
    const { clock, queue, launch, launcher, exits } = setUp()
    await launch(1)
    await clock.pass(100)
    queue.hanging.add('submit')
    await launch(1, 2)
    await clock.pass(100)
    const ended = launcher[Symbol.asyncDispose]()
    await clock.pass(6000)
    await ended
    await launcher[Symbol.asyncDispose]()
    assert.equal(queue.disposed, 1)
    assert.deepEqual(exits.map(({ worker }) => worker).sort(), ['w1', 'w2'])
    assert.equal((await launcher.launch('w3', 's')).logFile, undefined)
  })
})
