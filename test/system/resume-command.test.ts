import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { bellis, dyingAt, program, runNode, temporaryFolder } from '../support/command-line.ts'
import { until } from '../support/processes.ts'
import { drive, runsIn } from '../support/recorded-runs.ts'

const folder = temporaryFolder()
after(() => folder[Symbol.dispose]())
const cwd = folder.path
const elsewhere = join(cwd, 'else where')
const home = join(cwd, '.bellis')
const RAW = 'sample.hdf/volumes/raw'
const call = async (args: readonly string[], expected: number | string = 0, more: object = {}) => {
  const done = await bellis(args, { cwd, ...more })
  assert.equal(done.code, expected, `${args.join(' ')}: ${done.stderr}`)
  return done
}
const smooth = (output: string) => [
  ...['smooth', RAW, `out.zarr/${output}`, '--block-write', '4,24,24', '--workers', '1', '--json'],
]
const runOf = (output: string): string =>
  JSON.parse(readFileSync(join(cwd, 'out.zarr', output, 'zarr.json'), 'utf8')).attributes.bellis.run
const json = async (...args: string[]) => JSON.parse((await call([...args, '--json'])).stdout)

before(async () => {
  mkdirSync(elsewhere)
  await call(['sample', 'sample.hdf', '--size', '16,96,96', '--quiet'])
})

describe('bellis resume', () => {
  it('runs the command of a run again, where it was started, with further flags', async () => {
    await call(smooth('a'), 'SIGKILL', { env: dyingAt(0) })
    const run = runOf('a')
    const resumed = await call(['resume', run.slice(0, -1), '--run-dir', home, '--', '--max-retries', '1'], 0, {
      cwd: elsewhere,
    })
    const [task] = JSON.parse(resumed.stdout).tasks
    assert.ok(task.skipped > 0 && task.completed === 64, resumed.stdout)
    assert.match(resumed.stderr, /^bellis smooth .* --json --max-retries 1\n/)
    assert.deepEqual(runsIn(cwd), [run], 'it is the same run')
    assert.ok(!existsSync(join(elsewhere, '.bellis')))
    const { starts } = JSON.parse(readFileSync(join(home, run, 'provenance.json'), 'utf8'))
    assert.deepEqual(starts.at(-1).command.argv.slice(-3), ['--json', '--max-retries', '1'])
    assert.equal(starts.at(-1).command.argv[1], 'smooth')
  })

  it('finds a run whose home was named by the environment, and does not overwrite again', async () => {
    const env = { BELLIS_HOME: join(cwd, 'my runs') }
    await call([...smooth('b'), '--overwrite', '--yes'], 'SIGKILL', { env: { ...env, ...dyingAt(0) } })
    const resumed = await call(['resume', join(cwd, 'my runs', runOf('b'))], 0, { cwd: elsewhere })
    assert.ok(JSON.parse(resumed.stdout).tasks[0].skipped > 0)
  })

  it('runs a program that started a run again, and gives its exit code', async () => {
    const file = join(cwd, 'own.ts')
    writeFileSync(
      file,
      `import { runBlockwise } from 'bellis'
import task from './own-task.ts'
const result = await runBlockwise(task({}), { pool: 'inline', maxRetries: 0 })
console.log(result.tasks[0].skipped, process.argv.slice(2).join(' '))
process.exitCode = result.ok ? 0 : 3`,
    )
    writeFileSync(
      join(cwd, 'own-task.ts'),
      `import { defineTask, roi, z } from 'bellis'
const block = { readRoi: roi([0], [1]), writeRoi: roi([0], [1]), readWriteConflict: false }
export default defineTask({ name: 'own', config: z.object({}), plan: () => ({ totalRoi: roi([0], [4]), ...block }),
  setup: () => ({ index }) => { if (index === 2) throw new Error('no') } })`,
    )
    // In a checkout, 'bellis' is found from the folder of the sources only.
    mkdirSync(join(cwd, 'node_modules'))
    symlinkSync(join(program, '../..'), join(cwd, 'node_modules/bellis'))
    assert.equal((await runNode([file, 'word'], { cwd })).code, 3)
    const resumed = await call(['resume', 'own'], 3)
    assert.match(resumed.stdout, /^3 word\n$/)
  })

  it('refuses to start another run for want of a variable, and names what is not repeated', async () => {
    const env = { BELLIS_CONFIG_SIGMA: '2', BELLIS_NOTIFY: 'http://127.0.0.1:9/swordfish' }
    await call([...smooth('v'), '--run-dir', 'others'], 'SIGKILL', { env: { ...env, ...dyingAt(0) } })
    const run = join(cwd, 'others', runOf('v'))
    const hint = /# set BELLIS_CONFIG_SIGMA, BELLIS_NOTIFY again, which are not kept/
    assert.match((await call(['runs', '--run-dir', 'others'])).stdout.replaceAll(/\s+/g, ' '), hint)
    assert.ok(!readFileSync(join(run, 'run.json'), 'utf8').includes('swordfish'))
    const refused = await call(['resume', run], 2)
    assert.match(
      refused.stderr,
      /The run was started with BELLIS_CONFIG_SIGMA, whose value is not kept; set it again: BELLIS_CONFIG_SIGMA=… bellis resume/,
    )
    const resumed = await call(['resume', run], 0, { env: { BELLIS_CONFIG_SIGMA: '2' } })
    assert.match(resumed.stderr, /^bellis smooth .*# set BELLIS_NOTIFY again, which is not kept\n/)
    assert.ok(JSON.parse(resumed.stdout).tasks[0].skipped > 0)
  })

  it('says why a run can not be resumed', async () => {
    const none = await call(['resume', 'nothing'], 2)
    assert.match(none.stderr, /There is no run "nothing"/)
    const document = (changes: object) => {
      const made = join(home, 'odd-1a2b3c4d')
      mkdirSync(made, { recursive: true })
      const tasks: object[] = []
      writeFileSync(
        join(made, 'run.json'),
        JSON.stringify({ created: new Date().toISOString(), directory: cwd, progress: 'sqlite', tasks, ...changes }),
      )
    }
    document({})
    assert.match(
      (await call(['resume', 'odd'], 2)).stderr,
      /^bellis: \S+ has no command: .* earlier version of Bellis/m,
    )
    document({ command: ['bellis', 'info', 'https://host/a.zarr/raw?…'] })
    assert.match((await call(['resume', 'odd'], 2)).stderr, /contains a signed address.*bellis info/)
    document({ command: ['bellis', 'info', 'a'], directory: join(cwd, 'gone') })
    assert.match((await call(['resume', 'odd'], 2)).stderr, /gone, which can't be entered/)
    await call(['clean', 'odd', '--yes'])
  })
})

describe('bellis status and bellis runs', () => {
  it('show command, outputs, folder and times of a run', async () => {
    const run = runOf('a')
    const { stdout } = await call(['status', run], 0, { env: { TZ: 'UTC' } })
    const line = smooth('a').join(' ')
    const time = '\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d'
    assert.match(stdout, new RegExp(`\n  command     bellis ${line}\n  started in  .*\n  outputs     out\\.zarr/a\n`))
    assert.match(stdout, new RegExp(`\n  folder      /.*${run}\n  started     ${time}, ended ${time}, took \\d.*\n`))
    const status = await json('status', run)
    assert.deepEqual([status.command, status.outputs], [`bellis ${line}`, ['out.zarr/a']])
  })

  it('lists runs by condition, in the order that is asked for', async () => {
    const namesOf = async (...args: string[]) => (await json('runs', ...args)).map(({ run }: { run: string }) => run)
    const done = runOf('a')
    const [failed] = (await namesOf('--state', 'failed')) as [string]
    assert.match(failed, /^own-/)
    assert.deepEqual(await namesOf('--state', 'done,waiting'), [done])
    assert.deepEqual(await namesOf('--sort', 'name'), [failed, done])
    assert.deepEqual(await namesOf('--sort', 'created'), [failed, done])
    assert.deepEqual(await namesOf('--sort', 'state'), [done, failed])
    assert.match(
      (await call(['runs', '--state', 'on'], 2)).stderr,
      /--state on: "on" is not a condition; expected some of waiting/,
    )
    assert.match((await call(['runs', '--state', 'running'])).stdout, /No run in .* is running\./)
  })
})

describe('bellis clean', () => {
  it('lists old runs with what they keep, and removes them only when told to; the outputs stay', async () => {
    const [run] = [runOf('a')]
    const old = new Date('2026-01-01T00:00:00Z')
    const live = join(home, run, 'live.json')
    writeFileSync(live, readFileSync(live, 'utf8').replace(/"time":"[^"]*"/, `"time":"${old.toISOString()}"`))
    utimesSync(live, old, old)
    const dry = await call(['clean', '--dry-run'])
    assert.match(
      dry.stdout,
      new RegExp(
        `^${run}  done  20\\S+ \\S+  \\S+ kB \\(record \\S+ \\w+, history \\S+ \\w+, logs \\S+ \\w+\\)\n1 run, .*; nothing was removed\\.\n$`,
      ),
    )
    const asked = await call(['clean'], 2)
    assert.match(asked.stderr, /What is kept of 1 run, .* will be removed; add --yes to confirm/)
    assert.ok(existsSync(join(home, run)))
    const document = await json('clean', '--older-than', '8w', '--done', '--yes')
    assert.deepEqual([document.removed, document.runs[0].run], [true, run])
    assert.ok(document.runs[0].bytes.record > 0 && document.runs[0].bytes.total > document.runs[0].bytes.record)
    assert.ok(!existsSync(join(home, run)))
    assert.ok(existsSync(join(cwd, 'out.zarr/a/zarr.json')))
    // What a removal that was killed has left, under the name that it had given to the run's folder.
    const left = join(home, '.tmp-removed-1-2')
    mkdirSync(join(left, 'history'), { recursive: true })
    await call(['clean', '--dry-run'])
    assert.ok(existsSync(left))
    assert.match((await call(['clean', '--older-than', '1h'])).stdout, /There is nothing to remove\./)
    assert.ok(!existsSync(left))
    assert.match(
      (await call(['clean', '--older-than', 'long'], 2)).stderr,
      /--older-than long: expected a number of hours/,
    )
  })

  it('removes runs by name, says that unfinished ones start from nothing, and refuses one that is running', async () => {
    const asked = await call(['clean', 'own'], 2)
    assert.match(asked.stderr, /1 of them is not done and would start from nothing/)
    using other = temporaryFolder()
    const { path } = other
    const running = await drive(
      { folder: path, blocks: 2, waits: 0 },
      {},
      {
        meanwhile: async () => {
          await until('a block waits', () => existsSync(join(path, 'begun')))
          const refused = await bellis(['clean', 'last', '--yes'], { cwd: path })
          assert.deepEqual([refused.code, runsIn(path).length], [2, 1], refused.stderr)
          assert.match(refused.stderr, /is running; stop it before you remove it\./)
          assert.match(
            (await bellis(['clean', '--older-than', '0h', '--yes'], { cwd: path })).stdout,
            /nothing to remove/,
          )
          writeFileSync(join(path, 'go'), '')
        },
      },
    )
    assert.equal(running.code, 0, running.stderr)
    assert.equal((await json('clean', 'own', '--yes')).runs.length, 1)
    assert.ok(!runsIn(cwd).some((name) => name.startsWith('own')))
  })
})
