import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { bellis, hashVoxels, temporaryFolder } from '../support/command-line.ts'
import { drive, eventsOf, untilAsync } from '../support/drive.ts'
import { until } from '../support/processes.ts'
import { logsIn, runsIn } from '../support/recorded-runs.ts'
import { type SgeCluster, sgeOrSkip } from '../support/sge.ts'
import { SMOOTHED, sampleForAll } from '../support/smoothed-sample.ts'

const raw = sampleForAll()

const smooth = (...more: string[]) => [
  ...['smooth', raw, 'out.zarr/s', '--sigma', '2', '--block-write', '8,24,24'],
  ...['--pool', 'sge', '--workers', '2', ...more],
]

/** The ids and states of running and pending jobs. */
async function jobsOf(sge: SgeCluster): Promise<string[]> {
  const lines = (await sge.run('qstat', '-g', 'd')).split('\n').slice(2)
  return lines.filter((line) => line.trim() !== '').map((line) => line.trim().split(/\s+/)[4] as string)
}

const noJobsLeft = (sge: SgeCluster) => untilAsync('no job is left', async () => (await jobsOf(sge)).length === 0)

describe('a run on SGE', () => {
  it('a run on SGE gives the correct result, also with workers started by the printed command, and leaves no job', async (t) => {
    const sge = await sgeOrSkip(t)
    if (sge === undefined) return
    using temporary = temporaryFolder()
    // Many blocks, so that the run is not over before the workers submitted by hand have joined.
    const args = smooth('--block-write', '4,12,12', '--run-dir', "it's here", '--sge', '-l h_rt=0:10:0')
    const { code, stderr } = await bellis(args, {
      cwd: temporary.path,
      env: sge.env,
      meanwhile: async ({ output }) => {
        const line = await until('it is printed', () => /^ {2}(qsub .+)$/m.exec(output.stderr)?.[1])
        assert.match(line, /^qsub -t 1-4 -l h_rt=0:10:0 -l s_rt=540 '.+worker.sh'$/)
        await sge.run('/bin/sh', '-c', line)
        await untilAsync('jobs of both run', async () => (await jobsOf(sge)).filter((job) => job === 'r').length > 2)
      },
    })
    assert.equal(code, 0, stderr)
    assert.equal(await hashVoxels(join(temporary.path, 'out.zarr/s')), SMOOTHED)
    await noJobsLeft(sge)
  })

  it('a run on SGE continues in a new job when one reaches its time limit, without counting an attempt', async (t) => {
    const sge = await sgeOrSkip(t)
    if (sge === undefined) return
    using folder = temporaryFolder()
    const config = { folder: folder.path, blocks: 100, ms: 100 }
    const options = { pool: 'sge', workers: 1, maxRetries: 0, sge: '-l h_rt=64' }
    const driven = await drive('steady.ts', config, options, { env: sge.env })
    assert.equal(driven.result.ok, true, driven.stderr)
    assert.deepEqual([eventsOf(driven, 'block-retried'), eventsOf(driven, 'worker-died')], [[], []])
    assert.ok(eventsOf(driven, 'worker-started').length >= 2)
    assert.doesNotMatch(logsIn(folder.path), /debugger/i)
  })

  it('a run on SGE replaces a deleted job, counts an attempt of its block, and exposes its token to nobody', async (t) => {
    const sge = await sgeOrSkip(t)
    if (sge === undefined) return
    using folder = temporaryFolder()
    const config = { folder: folder.path, blocks: 3, how: 'wait-for-go', at: [0] }
    const meanwhile = async () => {
      await until('block 0 has started', () => existsSync(join(folder.path, 'begun-0')))
      const [run] = runsIn(folder.path)
      const runFolder = join(folder.path, '.bellis', run as string)
      const token = /\/\/(\w{32})@/.exec(readFileSync(join(runFolder, 'context'), 'utf8'))?.[1] as string
      const seen = {
        script: readFileSync(join(runFolder, 'sge/worker.sh'), 'utf8'),
        jobs: await sge.run('qstat', '-j', '*'),
        queue: await sge.run('qstat', '-f', '-xml'),
        processes: await sge.run('ps', '-A', '-ww', '-o', 'args='),
        logs: logsIn(folder.path),
      }
      for (const [what, text] of Object.entries(seen)) {
        assert.ok(text.length > 0, what)
        assert.ok(!text.includes(token), `the token is in: ${what}`)
      }
      await sge.run('qdel', 'bellis-misbehave*')
      await noJobsLeft(sge)
      writeFileSync(join(folder.path, 'go-0'), '')
    }
    const options = { pool: 'sge', workers: 1 }
    const driven = await drive('misbehave.ts', config, options, { env: sge.env, meanwhile })
    assert.equal(driven.result.ok, true, driven.stderr)
    const [retried, ...more] = eventsOf(driven, 'block-retried')
    assert.deepEqual([retried?.index, retried?.error.code, more.length], [0, 'WORKER_DIED', 0])
    await noJobsLeft(sge)
  })

  it('a run on SGE says why jobs are pending, and cancels running and pending jobs on Ctrl-C', async (t) => {
    const sge = await sgeOrSkip(t)
    if (sge === undefined) return
    using folder = temporaryFolder()
    const args = smooth('--sigma', '60', '--workers', String(sge.slots + 2))
    const waiting = /SGE: 8 of 10 jobs run; the others wait: .*full/
    const { code, stderr } = await bellis(args, {
      cwd: folder.path,
      env: sge.env,
      ownGroup: true,
      meanwhile: async ({ pid, output }) => {
        await until('it says why', () => waiting.test(output.stderr))
        process.kill(-pid, 'SIGINT')
      },
    })
    assert.equal(code, 130, stderr)
    await noJobsLeft(sge)
  })

  it('a run on SGE refuses the options that SGE refuses, and writes nothing', async (t) => {
    const sge = await sgeOrSkip(t)
    if (sge === undefined) return
    using folder = temporaryFolder()
    const call = (options: string) => bellis(smooth('--sge', options), { cwd: folder.path, env: sge.env })
    const { code, stderr } = await call('-l h_rt=soon')
    assert.equal(code, 2)
    assert.match(stderr, /^bellis: SGE rejects workers with these options: attribute "h_rt" is not a time value$/m)
    assert.deepEqual(readdirSync(folder.path), [])
  })
})
