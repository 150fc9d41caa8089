import assert from 'node:assert/strict'
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { bellis, type CommandOptions, hashVoxels, temporaryFolder } from '../support/command-line.ts'
import { drive, eventsOf, untilAsync } from '../support/drive.ts'
import { stillRunning, until } from '../support/processes.ts'
import { logsIn, runsIn } from '../support/recorded-runs.ts'
import { type SlurmCluster, slurmOrSkip } from '../support/slurm.ts'
import { SMOOTHED, sampleForAll } from '../support/smoothed-sample.ts'

const raw = sampleForAll()

const smooth = (...more: string[]) => [
  ...['smooth', raw, 'out.zarr/s', '--sigma', '2', '--block-write', '8,24,24'],
  ...['--pool', 'slurm', '--workers', '2', ...more],
]

/** The ids of running and pending jobs, with the requested field. */
async function jobsOf(slurm: SlurmCluster, format = '%i'): Promise<string[]> {
  const states = '--states=PENDING,RUNNING,COMPLETING'
  const text = await slurm.run('squeue', '--noheader', '--array', states, `--format=${format}`)
  return text.split('\n').filter((line) => line !== '')
}

const driveSlurm = (
  slurm: SlurmCluster,
  task: string,
  config: { readonly folder: string } & Readonly<Record<string, unknown>>,
  options: object,
  meanwhile: CommandOptions['meanwhile'] = () => {},
) => drive(task, config, { pool: 'slurm', ...options }, { env: slurm.env, meanwhile })

const noJobsLeft = (slurm: SlurmCluster) => untilAsync('no job is left', async () => (await jobsOf(slurm)).length === 0)

const begun = (folder: string, index: number) =>
  until(`block ${index} has started`, () => existsSync(join(folder, `begun-${index}`)))

const letGo = (folder: string, index: number) => writeFileSync(join(folder, `go-${index}`), '')

describe('a run on SLURM', () => {
  it('a run on SLURM has workers on both nodes, gives the correct result, and leaves no job', async (t) => {
    const slurm = await slurmOrSkip(t)
    if (slurm === undefined) return
    using folder = temporaryFolder()
    // A worker takes a complete node. Many blocks, so that the first worker does not finish before the second has joined.
    const args = smooth(
      '--json',
      '--block-write',
      '4,12,12',
      '--slurm',
      '--partition=short --time=10 --mem=1G --cpus-per-task=4',
    )
    const nodes = new Set<string>()
    const { code, stdout, stderr } = await bellis(args, {
      cwd: folder.path,
      env: slurm.env,
      meanwhile: async () => {
        const runOnBoth = async () => {
          for (const node of await jobsOf(slurm, '%N')) nodes.add(node)
          return nodes.has('n1') && nodes.has('n2')
        }
        await untilAsync('jobs run on both nodes', runOnBoth)
      },
    })
    assert.equal(code, 0, stderr)
    assert.deepEqual([JSON.parse(stdout).ok, JSON.parse(stdout).tasks[0].completed], [true, 2048])
    assert.equal(await hashVoxels(join(folder.path, 'out.zarr/s')), SMOOTHED)
    await noJobsLeft(slurm)
  })

  it('a run on SLURM replaces a killed job, and counts an attempt of its running block', async (t) => {
    const slurm = await slurmOrSkip(t)
    if (slurm === undefined) return
    using folder = temporaryFolder()
    const config = { folder: folder.path, blocks: 6, how: 'wait-for-go', at: [0] }
    const driven = await driveSlurm(slurm, 'misbehave.ts', config, { workers: 1 }, async () => {
      await begun(folder.path, 0)
      const [job] = await jobsOf(slurm)
      await slurm.run('scancel', '--signal=KILL', '--batch', job as string)
      const pid = Number(readFileSync(join(folder.path, 'begun-0'), 'utf8'))
      await until('it is gone', () => stillRunning([pid]).length === 0)
      letGo(folder.path, 0)
    })
    assert.equal(driven.result.ok, true, driven.stderr)
    const [retried, ...more] = eventsOf(driven, 'block-retried')
    assert.deepEqual([retried?.index, retried?.error.code, more.length], [0, 'WORKER_DIED', 0])
    assert.deepEqual(
      eventsOf(driven, 'worker-started').map(({ workerId }) => workerId),
      ['w1', 'w2'],
    )
    await noJobsLeft(slurm)
  })

  it('a run on SLURM takes the blocks that a cancelled job returns, without counting an attempt', async (t) => {
    const slurm = await slurmOrSkip(t)
    if (slurm === undefined) return
    using folder = temporaryFolder()
    const config = { folder: folder.path, blocks: 20, how: 'wait-for-go' }
    const driven = await driveSlurm(slurm, 'misbehave.ts', config, { workers: 1, maxRetries: 0 }, async () => {
      await begun(folder.path, 0)
      const [job] = await jobsOf(slurm)
      await slurm.run('scancel', job as string)
      await until('SLURM says so to the job', () => logsIn(folder.path).includes('CANCELLED AT'))
      for (let index = 0; index < 20; index++) {
        await begun(folder.path, index)
        letGo(folder.path, index)
      }
    })
    assert.equal(driven.result.ok, true, driven.stderr)
    assert.deepEqual(eventsOf(driven, 'worker-died'), [])
    assert.equal(eventsOf(driven, 'worker-started').length, 2)
  })

  it('a run on SLURM continues in a new job when one is pre-empted, without counting an attempt', async (t) => {
    const slurm = await slurmOrSkip(t)
    if (slurm === undefined) return
    using folder = temporaryFolder()
    const config = { folder: folder.path, blocks: 150, ms: 100 }
    const options = { workers: 1, maxRetries: 0, slurm: '--partition=short' }
    const driven = await driveSlurm(slurm, 'steady.ts', config, options, async ({ output }) => {
      await until('it works', () => output.stdout.includes('"blocks-done"'))
      await slurm.run('sbatch', '--partition=urgent', '--nodes=2', '--exclusive', '--output=/dev/null', '--wrap=true')
    })
    assert.equal(driven.result.ok, true, driven.stderr)
    assert.deepEqual([eventsOf(driven, 'block-retried'), eventsOf(driven, 'worker-died')], [[], []])
    assert.equal(eventsOf(driven, 'worker-started').length, 2)
  })

  it('a run on SLURM ends the job of a block that exceeds its time limit, even in a busy loop, and continues in a new one', async (t) => {
    const slurm = await slurmOrSkip(t)
    if (slurm === undefined) return
    using folder = temporaryFolder()
    const config = { folder: folder.path, blocks: 3, how: 'compute-for-ever', at: [1] }
    const options = { workers: 1, maxRetries: 0, timeoutMs: 3000 }
    const driven = await driveSlurm(slurm, 'misbehave.ts', config, options)
    const [task] = driven.result.tasks
    assert.deepEqual([task?.completed, task?.failed, task?.failures[0]?.error.code], [2, 1, 'BLOCK_TIMEOUT'])
    const pid = Number(readFileSync(join(folder.path, 'begun-1'), 'utf8'))
    await until('it is gone', () => stillRunning([pid]).length === 0)
    await noJobsLeft(slurm)
  })

  it("a run on SLURM ends within seconds, with the worker's error, if the task cannot be set up", async (t) => {
    const slurm = await slurmOrSkip(t)
    if (slurm === undefined) return
    using folder = temporaryFolder()
    const config = { folder: folder.path, blocks: 4, how: 'setup-throws' }
    const driven = await driveSlurm(slurm, 'misbehave.ts', config, { workers: 1, maxWorkerRestarts: 1 })
    assert.match(driven.result.tasks[0]?.error?.message ?? '', /abandoned.*the model has 3 layers, not 4/s)
    await noJobsLeft(slurm)
  })

  it('a run on SLURM shows what a job wrote before it died', async (t) => {
    const slurm = await slurmOrSkip(t)
    if (slurm === undefined) return
    using folder = temporaryFolder()
    const config = { folder: folder.path, blocks: 2, how: 'exit', at: [1] }
    const driven = await driveSlurm(slurm, 'misbehave.ts', config, { workers: 1, maxRetries: 0 })
    const [failure] = driven.result.tasks[0]?.failures ?? []
    assert.equal(failure?.index, 1)
    assert.match(failure?.error.message ?? '', /last words of block 1/)
    assert.match(readFileSync(failure?.logFile ?? '', 'utf8'), /last words of block 1/)
  })

  it('a run on SLURM exposes its token to nobody: not in the script, the queue, a job or a process', async (t) => {
    const slurm = await slurmOrSkip(t)
    if (slurm === undefined) return
    using folder = temporaryFolder()
    const config = { folder: folder.path, blocks: 2, how: 'wait-for-go', at: [0] }
    const { result } = await driveSlurm(slurm, 'misbehave.ts', config, { onListening: undefined }, async () => {
      await begun(folder.path, 0)
      const [run] = runsIn(folder.path)
      const runFolder = join(folder.path, '.bellis', run as string)
      const token = /\/\/(\w+)@/.exec(readFileSync(join(runFolder, 'context'), 'utf8'))?.[1] as string
      assert.match(token, /^[0-9a-f]{32}$/)
      const [job] = await jobsOf(slurm)
      const seen = {
        script: readFileSync(join(runFolder, 'slurm/worker.sh'), 'utf8'),
        names: readFileSync(join(runFolder, 'slurm/workers-1'), 'utf8'),
        job: await slurm.run('scontrol', 'show', 'job', '--details', job as string),
        queue: await slurm.run('squeue', '--json'),
        stored: await slurm.run('scontrol', 'write', 'batch_script', job as string, '-'),
        processes: await slurm.run('ps', '-A', '-ww', '-o', 'args='),
        logs: logsIn(folder.path),
      }
      for (const [what, text] of Object.entries(seen)) {
        assert.ok(text.length > 0, what)
        assert.ok(!text.includes(token), `the token is in: ${what}`)
      }
      letGo(folder.path, 0)
    })
    assert.equal(result.ok, true)
  })

  it('a run on SLURM is not held up by a hanging squeue', async (t) => {
    const slurm = await slurmOrSkip(t)
    if (slurm === undefined) return
    using folder = temporaryFolder()
    const pids = join(folder.path, 'pids')
    writeFileSync(join(folder.path, 'squeue'), `#!/bin/sh\necho $$ >> ${pids}\nexec sleep 600\n`)
    chmodSync(join(folder.path, 'squeue'), 0o755)
    const config = { folder: folder.path, blocks: 3, how: 'wait-for-go', at: [0] }
    const env = { ...slurm.env, PATH: `${folder.path}:${slurm.env.PATH}` }
    const driven = await driveSlurm({ ...slurm, env }, 'misbehave.ts', config, {}, async () => {
      await begun(folder.path, 0)
      await until('squeue hangs', () => existsSync(pids))
      letGo(folder.path, 0)
    })
    assert.equal(driven.result.ok, true, driven.stderr)
    // A call may take 20 s.
    assert.ok(driven.result.seconds < 19, `${driven.result.seconds} s`)
    const asked = readFileSync(pids, 'utf8').trim().split('\n').map(Number)
    await until('they are gone', () => stillRunning(asked).length === 0)
    await noJobsLeft(slurm)
  })

  it('a run on SLURM says why its jobs are pending, and cancels them on Ctrl-C', async (t) => {
    const slurm = await slurmOrSkip(t)
    if (slurm === undefined) return
    using folder = temporaryFolder()
    const { code, stderr } = await bellis(smooth('--slurm', '--begin=now+1hour'), {
      cwd: folder.path,
      env: slurm.env,
      ownGroup: true,
      meanwhile: async ({ pid, output }) => {
        await until('it says why', () => output.stderr.includes('the others wait'))
        assert.equal((await jobsOf(slurm)).length, 2)
        process.kill(-pid, 'SIGINT')
      },
    })
    assert.equal(code, 130, stderr)
    assert.match(stderr, /SLURM: 0 of 2 jobs run; the others wait: BeginTime \(it waits because of its own options\)/)
    assert.deepEqual(await jobsOf(slurm), [])
  })

  it('a run on SLURM cancels running and pending jobs on Ctrl-C, even if it is pressed twice', async (t) => {
    const slurm = await slurmOrSkip(t)
    if (slurm === undefined) return
    for (const presses of [1, 2]) {
      using folder = temporaryFolder()
      // More jobs than processors.
      const args = smooth('--sigma', '60', '--workers', '12')
      const { code, stderr } = await bellis(args, {
        cwd: folder.path,
        env: slurm.env,
        ownGroup: true,
        meanwhile: async ({ pid, output }) => {
          const runAndWait = async () => {
            const states = await jobsOf(slurm, '%T')
            return states.includes('RUNNING') && states.includes('PENDING')
          }
          await untilAsync('some jobs run and some wait', runAndWait)
          process.kill(-pid, 'SIGINT')
          if (presses === 1) return
          await until('it heard the first', () => output.stderr.includes('Ctrl-C again'))
          process.kill(-pid, 'SIGINT')
        },
      })
      assert.equal(code, 130, stderr)
      await noJobsLeft(slurm)
    }
  })

  it('a run on SLURM refuses the options that SLURM refuses, and writes nothing', async (t) => {
    const slurm = await slurmOrSkip(t)
    if (slurm === undefined) return
    using folder = temporaryFolder()
    const call = (options: string) => bellis(smooth('--slurm', options), { cwd: folder.path, env: slurm.env })
    const { code, stderr } = await call('--partition=nope')
    assert.equal(code, 2)
    assert.match(stderr, /^bellis: SLURM rejects workers with these options: invalid partition specified: nope;/m)
    const own = await call('--array=1-3')
    assert.equal(own.code, 2)
    assert.match(own.stderr, /--slurm: the option "--array=1-3" is not allowed: use --workers/)
    assert.deepEqual(readdirSync(folder.path), [])
  })

  it('a run on SLURM takes workers started by the printed sbatch command', async (t) => {
    const slurm = await slurmOrSkip(t)
    if (slurm === undefined) return
    using temporary = temporaryFolder()
    const { code, stderr } = await bellis(smooth('--pool', 'none', '--run-dir', "it's here"), {
      cwd: temporary.path,
      env: slurm.env,
      meanwhile: async ({ output }) => {
        const line = await until('it is printed', () => /^ {2}(sbatch .+)$/m.exec(output.stderr)?.[1])
        await slurm.run('/bin/sh', '-c', line)
      },
    })
    assert.equal(code, 0, stderr)
    assert.equal(await hashVoxels(join(temporary.path, 'out.zarr/s')), SMOOTHED)
    await noJobsLeft(slurm)
  })
})
