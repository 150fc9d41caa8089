import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type Invitation, type RunEvent, startRun } from 'bellis'
import { bellis, runNode, temporaryFolder } from '../support/command-line.ts'
import { drive, eventsOf } from '../support/drive.ts'
import { endedRun } from '../support/ended-runs.ts'
import { stillRunning, until } from '../support/processes.ts'
import { pythonOrSkip } from '../support/python.ts'
import { runProgram } from '../support/python-program.ts'
import { slurmOrSkip } from '../support/slurm.ts'
import joined from '../support/tasks/joined.ts'

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))
const BLOCKS = 6
const AT = 3
/** Long enough for a block of a busy machine, and not much longer. */
const stallMs = 2000

const done = (folder: string): number => readdirSync(folder).filter((name) => name.startsWith('done-')).length

const makeFifo = (folder: string) => execFileSync('mkfifo', [join(folder, 'fifo')])

// They wait most of the time.
describe('a worker process that does nothing', { concurrency: 3 }, () => {
  it('is ended when it was stopped, and another one does its block', async () => {
    using folder = temporaryFolder()
    const config = { folder: folder.path, blocks: BLOCKS, at: AT, how: 'stop' }
    const driven = await drive('stall.ts', config, { stallMs, maxRetries: 5 })
    assert.equal(driven.result.ok, true, driven.stderr)
    assert.equal(done(folder.path), BLOCKS)
    const stalled = eventsOf(driven, 'worker-stalled').find(({ index }) => index === AT)
    assert.equal(stalled?.action, 'end')
    const started = eventsOf(driven, 'worker-started').find(({ workerId }) => workerId === stalled?.workerId)
    assert.deepEqual(stillRunning([started?.pid as number]), [])
  })

  for (const how of ['read', 'read-sync']) {
    it(`is ended when a file does not answer (${how}), and the run ends with the block that can't be done`, async () => {
      using folder = temporaryFolder()
      makeFifo(folder.path)
      const config = { folder: folder.path, blocks: BLOCKS, at: AT, how }
      const driven = await drive('stall.ts', config, { stallMs, maxRetries: 0 })
      const [task] = driven.result.tasks
      assert.deepEqual([driven.code, task?.completed, task?.failed], [1, BLOCKS - 1, 1], driven.stderr)
      assert.deepEqual(
        task?.failures.map(({ index, error }) => [index, error.code]),
        [[AT, 'BLOCK_STALLED']],
      )
    })
  }

  it('is left alone while its function says that it advances, even without a pause', async () => {
    using folder = temporaryFolder()
    const config = { folder: folder.path, blocks: 1, at: 0, how: 'compute', seconds: 3 * (stallMs / 1000) }
    const driven = await drive('stall.ts', config, { stallMs, maxRetries: 0 })
    assert.equal(driven.result.ok, true, driven.stderr)
    assert.deepEqual(eventsOf(driven, 'worker-stalled'), [])
  })

  it('is reported, and nothing else, with onStall report', async () => {
    using folder = temporaryFolder()
    const config = { folder: folder.path, blocks: 1, at: 0, how: 'compute-silently', seconds: 2 * (stallMs / 1000) }
    const driven = await drive('stall.ts', config, { stallMs, onStall: 'report', maxRetries: 0 })
    assert.equal(driven.result.ok, true, driven.stderr)
    assert.deepEqual(
      eventsOf(driven, 'worker-stalled').map(({ index, action }) => [index, action]),
      [[0, 'report']],
    )
  })
})

describe('a job of SLURM that does nothing', () => {
  it('is ended when its worker was stopped, and another job does its block', async (t) => {
    const slurm = await slurmOrSkip(t)
    if (slurm === undefined) return
    using folder = temporaryFolder()
    const config = { folder: folder.path, blocks: BLOCKS, at: AT, how: 'stop' }
    const driven = await drive(
      'stall.ts',
      config,
      { pool: 'slurm', workers: 1, stallMs, maxRetries: 5 },
      { env: slurm.env },
    )
    assert.equal(driven.result.ok, true, driven.stderr)
    assert.equal(done(folder.path), BLOCKS)
    // Blocks that were leased together are counted from the first one.
    const [stalled] = eventsOf(driven, 'worker-stalled')
    assert.equal(stalled?.action, 'end')
    const left = await slurm.run('squeue', '--noheader', '--states=PENDING,RUNNING', '--format=%i')
    assert.equal(left.trim(), '')
  })
})

describe('a thread', () => {
  it('that waits for a file that does not answer does not keep the run, nor the command, from its end', async () => {
    using folder = temporaryFolder()
    makeFifo(folder.path)
    const task = ['run', path('../support/tasks/stall.ts'), '--folder', folder.path, '--blocks', String(BLOCKS)]
    const block = ['--at', String(AT), '--how', 'read', '--pool', 'thread', '--workers', '2']
    const limits = ['--stall', '2', '--max-retries', '0', '--json']
    const { code, stdout, stderr } = await bellis([...task, ...block, ...limits], { cwd: folder.path })
    assert.equal(code, 1, stderr)
    const [{ completed, failures }] = JSON.parse(stdout).tasks
    assert.deepEqual([completed, failures[0].error.code], [BLOCKS - 1, 'BLOCK_STALLED'])
  })
})

describe('a worker that has joined', () => {
  it('loses its block when it was stopped; when it comes back, it drops that block and goes on', async () => {
    using folder = temporaryFolder()
    const events: RunEvent[] = []
    const { promise: invited, resolve } = Promise.withResolvers<Invitation>()
    const run = endedRun(
      startRun(joined({ folder: folder.path, how: 'stop', blocks: BLOCKS }), {
        pool: 'none',
        stallMs,
        runDir: join(folder.path, '.bellis'),
        onListening: resolve,
        onEvent: (event) => events.push(event),
      }),
    )
    const { context } = await invited
    const options = { cwd: folder.path, env: { BELLIS_CONTEXT: context } }
    const program = path('../support/tasks/join.mjs')
    const stopped = runNode([program], options)
    const stall = () => events.find((event) => event.type === 'worker-stalled')
    await until('the first worker has stalled', stall)
    assert.equal(stall()?.action, 'move')
    const started = events.find((event) => event.type === 'worker-started')
    assert.equal(started?.workerId, stall()?.workerId)
    const other = runNode([program], options)
    await until('another one has done its block', () =>
      events.some((event) => event.type === 'blocks-done' && event.indices.includes(stall()?.index as number)),
    )
    process.kill(started?.pid as number, 'SIGCONT')
    const result = await run.result
    assert.ok(result.ok, JSON.stringify(result.tasks))
    for (const { code, stderr } of await Promise.all([stopped, other])) assert.equal(code, 0, stderr)
    const all = events.flatMap((event) => (event.type === 'blocks-done' ? event.indices : []))
    assert.equal(new Set(all).size, all.length, 'no block was done twice')
  })
})

describe('a program in Python', { concurrency: 2 }, () => {
  it('that was stopped is ended with its worker, and another one does its block', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    using folder = temporaryFolder()
    const body = `
for block in bellis.blocks():
    taken = os.path.join(block.config["folder"], "taken")
    if block.index == 3 and not os.path.exists(taken):
        open(taken, "w").close()
        os.kill(os.getpid(), signal.SIGSTOP)
`
    const events: RunEvent[] = []
    const options = { stallMs, onEvent: (event: RunEvent) => events.push(event) }
    const result = await runProgram(python, folder.path, body, options)
    assert.ok(result.ok, JSON.stringify(result.tasks))
    assert.ok(events.some((event) => event.type === 'worker-stalled' && event.index === AT))
    assert.ok(existsSync(join(folder.path, 'taken')))
  })

  it('that says that its block advances is left alone', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    using folder = temporaryFolder()
    const body = `
for block in bellis.blocks():
    end = time.monotonic() + (${(2.5 * stallMs) / 1000} if block.index == 3 else 0)
    while time.monotonic() < end:
        block.progress()
        time.sleep(0.01)
`
    const events: RunEvent[] = []
    const options = { stallMs, maxRetries: 0, onEvent: (event: RunEvent) => events.push(event) }
    const result = await runProgram(python, folder.path, body, options)
    assert.ok(result.ok, JSON.stringify(result.tasks))
    assert.ok(!events.some((event) => event.type === 'worker-stalled'))
  })
})
