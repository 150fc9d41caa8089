import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { bellis, hashVoxels, program, temporaryFolder } from '../support/command-line.ts'
import { drive, eventsOf, untilAsync } from '../support/drive.ts'
import { until } from '../support/processes.ts'
import { slurmOrSkip } from '../support/slurm.ts'
import { SMOOTHED, sampleForAll } from '../support/smoothed-sample.ts'

const raw = sampleForAll()

/** SLURM's time limits are whole minutes, which are short where its time passes fast. */
const FAST = ['speed=10', 'KillWait=5']
const MINUTE_MS = 6000

describe('a run on a SLURM with short jobs', { concurrency: true }, () => {
  it('is completed by jobs of a minute with blocks of half a minute, without a failed attempt', async (t) => {
    const slurm = await slurmOrSkip(t, FAST)
    if (slurm === undefined) return
    using folder = temporaryFolder()
    const config = { folder: folder.path, blocks: 6, ms: MINUTE_MS / 2 }
    const options = { pool: 'slurm', workers: 2, maxRetries: 0, slurm: '--time=1' }
    const driven = await drive('steady.ts', config, options, { env: slurm.env })
    assert.equal(driven.result.ok, true, driven.stderr)
    assert.deepEqual([driven.result.tasks[0]?.completed, eventsOf(driven, 'block-retried')], [6, []])
    assert.ok(eventsOf(driven, 'worker-started').length > 2)
  })

  it('ends with the reason if a block takes longer than a job may', async (t) => {
    const slurm = await slurmOrSkip(t, FAST)
    if (slurm === undefined) return
    using folder = temporaryFolder()
    const config = { folder: folder.path, blocks: 1, ms: 100 * MINUTE_MS }
    const options = { pool: 'slurm', workers: 1, maxRetries: 1, slurm: '--time=1' }
    const driven = await drive('steady.ts', config, options, { env: slurm.env })
    const [task] = driven.result.tasks
    assert.deepEqual([driven.result.ok, task?.failed, eventsOf(driven, 'block-retried').length], [false, 1, 1])
    assert.match(task?.failures[0]?.error.message ?? '', /its job reached its time limit \(--time\)/)
  })
})

describe('a run on a site that is not plain', () => {
  it('is refused once, with the words of SLURM, if its jobs are refused only when they are submitted', async (t) => {
    const slurm = await slurmOrSkip(t)
    if (slurm === undefined) return
    using folder = temporaryFolder()
    const real = (await slurm.run('/bin/sh', '-c', 'command -v sbatch')).trim()
    const words =
      'sbatch: error: Batch job submission failed: Invalid account or account/partition combination specified'
    const script = `#!/bin/sh\nfor a; do [ "$a" = --test-only ] && exec ${real} "$@"; done\necho "${words}" >&2; exit 1\n`
    writeFileSync(join(folder.path, 'sbatch'), script)
    chmodSync(join(folder.path, 'sbatch'), 0o755)
    const env = { ...slurm.env, PATH: `${folder.path}:${slurm.env.PATH}` }
    const config = { folder: folder.path, blocks: 6, ms: 1 }
    const driven = await drive('steady.ts', config, { pool: 'slurm', workers: 3 }, { env })
    assert.match(driven.result.tasks[0]?.error?.message ?? '', /abandoned: .*Invalid account or account\/partition/)
    assert.deepEqual([eventsOf(driven, 'worker-died').length, eventsOf(driven, 'task-abandoned').length], [0, 1])
  })

  it('may be started inside a job, whose own limits do not become those of its workers', async (t) => {
    const slurm = await slurmOrSkip(t)
    if (slurm === undefined) return
    using folder = temporaryFolder()
    const args = ['smooth', raw, 'out.zarr/s', '--sigma', '2', '--block-write', '8,24,24', '--pool', 'slurm']
    const command = [process.execPath, program, ...args, '--workers', '2', '--slurm', '--mem=1G']
    const script = `${command.map((word) => `'${word}'`).join(' ')} > said 2>&1; echo $? > code.new; mv code.new code\n`
    const outer = ['--mem-per-cpu=100M', '--ntasks=2', '--array=5', '--output=/dev/null', `--chdir=${folder.path}`]
    await slurm.run('sbatch', ...outer, `--wrap=${script}`)
    await until('the run has ended', () => existsSync(join(folder.path, 'code')))
    assert.equal(
      readFileSync(join(folder.path, 'code'), 'utf8'),
      '0\n',
      readFileSync(join(folder.path, 'said'), 'utf8'),
    )
    assert.equal(await hashVoxels(join(folder.path, 'out.zarr/s')), SMOOTHED)
  })

  for (const [which, options, drained] of [
    ['no node can be used', '', 2],
    ['a node that its jobs need can’t be used', '--nodes=2', 1],
  ] as const) {
    it(`starts while ${which}, and waits for it, as its jobs would`, async (t) => {
      const slurm = await slurmOrSkip(t)
      if (slurm === undefined) return
      using folder = temporaryFolder()
      const nodes = slurm.nodes.slice(0, drained).join(',')
      const setNodes = (state: string) =>
        slurm.run('scontrol', 'update', `NodeName=${nodes}`, `State=${state}`, 'Reason=service')
      await setNodes('DRAIN')
      try {
        const config = { folder: folder.path, blocks: 3, ms: 1 }
        const driven = await drive(
          'steady.ts',
          config,
          { pool: 'slurm', workers: 2, slurm: options },
          {
            env: slurm.env,
            meanwhile: async () => {
              const wait = async () =>
                (await slurm.run('squeue', '--noheader', '--array', '--format=%T')) === 'PENDING\nPENDING\n'
              await untilAsync('its jobs wait', wait)
              await setNodes('RESUME')
            },
          },
        )
        assert.equal(driven.result.ok, true, driven.stderr)
      } finally {
        await setNodes('RESUME').catch(() => {})
      }
    })
  }

  it('starts if its nodes have come back while it asked for them', async (t) => {
    const slurm = await slurmOrSkip(t)
    if (slurm === undefined) return
    using folder = temporaryFolder()
    // The first answer is one of a moment ago.
    const refused = 'sbatch: error: allocation failure: Requested node configuration is not available'
    const late = `#!/bin/sh\nPATH=\${PATH#*:}\nif mkdir '${folder.path}/asked' 2>/dev/null; then echo '${refused}' >&2; exit 1; fi\nexec sbatch "$@"\n`
    const programs = join(folder.path, 'programs')
    mkdirSync(programs)
    writeFileSync(join(programs, 'sbatch'), late, { mode: 0o755 })
    const env = { ...slurm.env, PATH: `${programs}:${slurm.env.PATH}` }
    const args = ['smooth', raw, 'out.zarr/s', '--sigma', '2', '--block-write', '8,24,24', '--pool', 'slurm']
    const { code, stderr } = await bellis([...args, '--workers', '1'], { cwd: folder.path, env })
    assert.equal(code, 0, stderr)
    assert.ok(existsSync(join(folder.path, 'asked')))
    assert.equal(await hashVoxels(join(folder.path, 'out.zarr/s')), SMOOTHED)
  })

  it('is refused at its start if no node will ever have what its jobs request', async (t) => {
    const slurm = await slurmOrSkip(t)
    if (slurm === undefined) return
    using folder = temporaryFolder()
    const args = ['smooth', raw, 'out.zarr/s', '--sigma', '2', '--pool', 'slurm', '--slurm', '--cpus-per-task=400']
    const { code, stderr } = await bellis(args, { cwd: folder.path, env: slurm.env })
    assert.equal(code, 2)
    assert.match(
      stderr,
      /^bellis: SLURM rejects workers with these options: .*Requested node configuration is not available/m,
    )
    assert.equal(await slurm.run('squeue', '--noheader'), '')
  })

  it('does not start if SLURM refuses its options in whatever way the environment gives them', async (t) => {
    const slurm = await slurmOrSkip(t)
    if (slurm === undefined) return
    using folder = temporaryFolder()
    const args = ['smooth', raw, 'out.zarr/s', '--sigma', '2', '--pool', 'slurm']
    const env = { ...slurm.env, SBATCH_PARTITION: 'backup-timeout' }
    const { code, stderr } = await bellis(args, { cwd: folder.path, env })
    assert.equal(code, 2)
    assert.match(
      stderr,
      /^bellis: SLURM rejects workers with these options: invalid partition specified: backup-timeout/m,
    )
  })
})

describe('a run whose tasks have pools of their own', () => {
  const places = (folder: string) =>
    Object.fromEntries(
      ['prepare', 'predict', 'finish'].map((task) => {
        const seen = readdirSync(folder).filter((name) => name.startsWith(`at-${task}-`))
        return [task, [...new Set(seen.map((name) => readFileSync(join(folder, name), 'utf8')))].join()]
      }),
    )

  it('has one task in processes here and others in jobs with other options, from code', async (t) => {
    const slurm = await slurmOrSkip(t)
    if (slurm === undefined) return
    using folder = temporaryFolder()
    const taskPools = {
      predict: { slurm: '--partition=urgent' },
      finish: { pool: 'slurm', slurm: '--partition=short' },
    }
    const config = { folder: folder.path, blocks: 3 }
    const driven = await drive('places.ts', config, { workers: 1, taskPools }, { env: slurm.env })
    assert.equal(driven.result.ok, true, driven.stderr)
    assert.deepEqual(places(folder.path), { prepare: 'here', predict: 'urgent', finish: 'short' })
    await untilAsync('no job is left', async () => (await slurm.run('squeue', '--noheader')).trim() === '')
  })

  it('takes them from the profile of a site and from flags', async (t) => {
    const slurm = await slurmOrSkip(t)
    if (slurm === undefined) return
    using folder = temporaryFolder()
    const profile = join(folder.path, 'lab.json')
    const tasks = { predict: { slurm: '--partition=urgent' } }
    writeFileSync(profile, JSON.stringify({ pool: 'slurm', slurm: '--partition=short', workers: 1, tasks }))
    const task = new URL('../support/tasks/places.ts', import.meta.url).pathname
    const args = ['run', task, '--folder', folder.path, '--blocks', '3', '--site', profile]
    const { code, stderr } = await bellis([...args, '--pool', 'finish:process'], { cwd: folder.path, env: slurm.env })
    assert.equal(code, 0, stderr)
    assert.deepEqual(places(folder.path), { prepare: 'short', predict: 'urgent', finish: 'here' })
  })

  it('is refused if it has no such task', async () => {
    using folder = temporaryFolder()
    const { code, stderr } = await bellis(['smooth', raw, 'out.zarr/s', '--pool', 'smoth:thread'], { cwd: folder.path })
    assert.equal(code, 2)
    assert.match(stderr, /task of a pool smoth: expected one of the tasks of the run: "smooth"/)
    assert.deepEqual(readdirSync(folder.path), [])
  })
})
