import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JobsReport } from '../../../src/core/events.ts'
import type { WorkerExit } from '../../../src/core/workers/worker-state.ts'
import { systemClock } from '../../../src/entry/clock.ts'
import type { LaunchedWorker } from '../../../src/ports/worker-launcher.ts'
import { jobLauncher } from '../../../src/runtime/launchers/job-launcher.ts'
import { describeWorkerLauncher } from '../../contracts/worker-launcher.contract.ts'
import { ManualClock, settle } from '../../support/fake-network.ts'
import { MemoryQueue } from '../../support/memory-queue.ts'
import { until } from '../../support/processes.ts'

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
  it('are submitted together, each under its name, and report where their logs are', async () => {
    const { clock, queue, launch } = setUp()
    const [first, second] = await launch(2)
    await clock.pass(100)
    assert.deepEqual(queue.submissions, [['w1:session', 'w2:session']])
    assert.deepEqual([first?.logFile, second?.logFile], ['logs/1_0.log', 'logs/1_1.log'])
  })

  it('have ended when their job has, with the reason and their last output', async () => {
    const { clock, queue, launch, exits } = setUp()
    await launch(2)
    await clock.pass(100)
    queue.states.set('1_1', { status: 'ended', reason: 'its job failed' })
    await clock.pass(2000)
    assert.deepEqual(exits, [{ worker: 'w2', reason: 'its job failed; memory job 1_1', lastOutput: 'said by 1_1' }])
  })

  it('are polled less and less often, but soon after a connection was lost or a job submitted', async () => {
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

  it('keep their last known state while the system does not answer', async () => {
    const { clock, queue, launch, exits, reports } = setUp()
    await launch(1)
    await clock.pass(2000)
    queue.failing.status = 'QUEUE_UNAVAILABLE'
    const calls = queue.statusCalls
    await clock.pass(600_000)
    assert.ok(queue.statusCalls - calls < 20, `${queue.statusCalls - calls} calls`)
    assert.deepEqual(exits, [])
    assert.match(reports.at(-1)?.trouble ?? '', /^status failed \(continuing with the last known state\)$/)
    queue.failing = {}
    queue.states.set('1_0', { status: 'ended', reason: 'its job failed' })
    await clock.pass(61_000)
    assert.equal(exits.length, 1)
    assert.equal(reports.at(-1)?.trouble, undefined)
  })

  it('have ended when they say goodbye, whatever the system reports', async () => {
    const { clock, queue, launch, exits } = setUp()
    const [worker] = await launch(1)
    await clock.pass(100)
    queue.hanging.add('status')
    worker?.noteConnection?.('in')
    worker?.noteConnection?.('left')
    await settle()
    assert.equal(exits[0]?.reason, 'it left; memory job 1_0')
  })

  it('have ended when a connection that outlives their job closes, or a little later', async () => {
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

  it('are submitted again while the system can’t be reached, and fail after some minutes', async () => {
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

  it('are submitted in smaller groups if the system does not accept that many, and the rest when there is room', async () => {
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

  it('fail at once with the message of the system if it refuses even a single job', async () => {
    const { clock, queue, launch, exits } = setUp()
    queue.failing.submit = 'JOB_REFUSED'
    await launch(100)
    await clock.pass(100)
    assert.equal(exits.length, 100)
    assert.deepEqual([exits[0]?.reason, exits[0]?.isRefused], ['submit failed', true])
    assert.ok(queue.submissions.length < 10, `${queue.submissions.length} submissions`)
  })

  it('are submitted again for an hour, once a minute, if they are refused after others were accepted', async () => {
    const { clock, queue, launch, exits } = setUp()
    await launch(1)
    await clock.pass(100)
    queue.states.set('1_0', { status: 'ended', reason: 'its job ended' })
    await clock.pass(60_000)
    assert.equal(exits.length, 1)
    queue.failing.submit = 'JOB_REFUSED'
    await launch(1, 2)
    await clock.pass(50 * 60_000)
    assert.equal(exits.length, 1)
    assert.ok(queue.submissions.length >= 50)
    delete queue.failing.submit
    await clock.pass(61_000)
    assert.equal(queue.states.size, 2)
    for (const id of queue.states.keys()) queue.states.set(id, { status: 'ended', reason: 'its job ended' })
    queue.failing.submit = 'JOB_REFUSED'
    await clock.pass(60_000)
    await launch(1, 3)
    await clock.pass(61 * 60_000)
    assert.equal(exits.at(-1)?.isRefused, true)
  })

  it('are killed together in one call, even if that call hangs or fails', async () => {
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

  it('are not submitted if they were cancelled before; during the submission, or after it, their jobs are cancelled', async () => {
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
      [
        'w1: it was cancelled before its job was submitted',
        'w2: it was cancelled before its job was submitted',
        'w3: its job was cancelled; memory job 1_1',
      ],
    )
  })

  it('are reported as pending, with the reason, after some seconds', async () => {
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
    const before = reports.length
    await clock.pass(600_000)
    assert.equal(reports.length, before)
  })

  it('are reported as absent while their jobs run but they have never connected', async () => {
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

  it('end with the launcher, even while a submission hangs; disposing twice is no error', async () => {
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

describeWorkerLauncher('jobs of a batch system in memory', {
  lastOutput: /^said by 1_0$|^said by 2_0$/,
  ownEnd: /^its job ended; memory job 1_0$/,
  async open() {
    const queue = new MemoryQueue()
    const jobOf = (worker: string) => [...queue.workers].find(([, name]) => name === `${worker}:session`)?.[0]
    return {
      launcher: jobLauncher({ queue, clock: systemClock }),
      async started(_, id) {
        queue.states.set(await until('its job was submitted', () => jobOf(id)), { status: 'running', host: 'n1' })
      },
      askToEnd: (_, id) => queue.states.set(jobOf(id) as string, { status: 'ended', reason: 'its job ended' }),
      count: () => [...queue.states.values()].filter(({ status }) => status !== 'ended').length,
    }
  },
})
