import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, it } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import type { BatchQueueOptions } from '../../../../src/adapters/batch/batch-queue.ts'
import { slurmQueue } from '../../../../src/adapters/batch/slurm/slurm-queue.ts'
import { readLogEnd } from '../../../../src/entry/workers/log-end.ts'
import type { JobState } from '../../../../src/ports/job-queue.ts'
import { temporaryFolder } from '../../../support/command-line.ts'
import { type SlurmCluster, slurmOrSkip } from '../../../support/slurm.ts'

const SLEEP = ['/bin/sh', '-c', 'echo "$BELLIS_WORKER at $PWD"; exec sleep 600']
const environment = { ...process.env }

/** Makes this process use the cluster. Programs in the folder `before` take precedence. */
function use(slurm: SlurmCluster, before?: string): void {
  Object.assign(process.env, slurm.env)
  if (before !== undefined) process.env.PATH = `${before}:${slurm.env.PATH}`
}

afterEach(() => {
  process.env.PATH = environment.PATH
  delete process.env.SLURM_CONF
})

let lastName = 0
const queueIn = (folder: string, options: Partial<BatchQueueOptions> = {}) =>
  slurmQueue({
    folder,
    jobName: `bellis-test-${++lastName}`,
    command: SLEEP,
    workFolder: folder,
    readLog: readLogEnd,
    ...options,
  })

async function until<Value>(read: () => Promise<Value>, isSo: (value: Value) => boolean): Promise<Value> {
  for (const end = performance.now() + 120_000; ; await wait(100)) {
    const value = await read()
    if (isSo(value)) return value
    if (performance.now() > end) assert.fail(`still ${JSON.stringify(value)}`)
  }
}

const statusesOf = (states: ReadonlyMap<string, JobState>) => [...states.values()].map(({ status }) => status)

/** Whether a process is running. One that has ended but was not waited for is not. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

/** A program that replaces one of SLURM's. */
function writeProgram(folder: string, name: string, ...lines: string[]): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, name), ['#!/bin/sh', ...lines, ''].join('\n'))
  chmodSync(join(folder, name), 0o755)
}

describe('the queue of SLURM', () => {
  it('runs a job per worker with its own name, in a folder of any name, and cancels one and then all', async (t) => {
    const slurm = await slurmOrSkip(t)
    if (slurm === undefined) return
    use(slurm)
    using temporary = temporaryFolder()
    const folder = join(temporary.path, `it's "100%" of $HOME`)
    mkdirSync(folder)
    await using queue = queueIn(folder, { options: '--partition=short --time=5 --comment="a # b"' })
    await queue.check()
    const ids = await queue.submit(['w1:a', 'w2:b', 'w3:c'])
    assert.equal(ids.length, 3)
    await until(
      () => queue.status(ids),
      (states) => statusesOf(states).every((status) => status === 'running'),
    )
    for (const [index, id] of ids.entries()) {
      const said = await until(
        () => queue.lastOutputOf(id),
        (text) => text !== '',
      )
      assert.equal(said, `${['w1:a', 'w2:b', 'w3:c'][index]} at ${folder}`)
      assert.equal(queue.logFileOf(id), join(folder, 'logs', `slurm-${id}.log`))
    }
    await queue.cancel([ids[1] as string])
    const states = await until(
      () => queue.status(ids),
      (now) => statusesOf(now).includes('ended'),
    )
    assert.deepEqual(statusesOf(states), ['running', 'ended', 'running'])
    await queue.cancel(ids)
    const left = () => slurm.run('squeue', '--noheader', '--states=RUNNING,PENDING', '--format=%i')
    await until(left, (text) => text.trim() === '')
  })

  it('cancels jobs that have not started when it is disposed, even those submitted by hand, and no jobs of others', async (t) => {
    const slurm = await slurmOrSkip(t)
    if (slurm === undefined) return
    use(slurm)
    using folder = temporaryFolder()
    const other = (await slurm.run('sbatch', '--parsable', '--hold', '--output=/dev/null', '--wrap=true')).trim()
    const queue = queueIn(folder.path, { options: '--hold' })
    const ids = await queue.submit(['w1:a', 'w2:b'])
    await slurm.run('/bin/sh', '-c', queue.commandFor(3))
    const pending = () => slurm.run('squeue', '--noheader', '--array', '--states=PENDING', '--format=%i')
    assert.equal((await pending()).trim().split('\n').length, 6)
    await queue[Symbol.asyncDispose]()
    await queue[Symbol.asyncDispose]()
    await until(pending, (text) => text.trim() === other)
    await slurm.run('scancel', other)
    assert.equal(ids.length, 2)
  })

  it('keeps jobs from working if their submission was accepted but not answered in time, nor is the question for them', async (t) => {
    const slurm = await slurmOrSkip(t)
    if (slurm === undefined) return
    using folder = temporaryFolder()
    const real = (await slurm.run('/bin/sh', '-c', 'command -v sbatch')).trim()
    writeProgram(join(folder.path, 'programs'), 'sbatch', `${real} "$@" > ${folder.path}/id; sleep 600`)
    writeProgram(join(folder.path, 'programs'), 'squeue', 'exit 1')
    use(slurm, join(folder.path, 'programs'))
    await using queue = queueIn(folder.path, { callTimeoutMs: 700, options: '--begin=now+3' })
    await assert.rejects(queue.submit(['w1:a']), { code: 'QUEUE_UNAVAILABLE' })
    const id = `${readFileSync(join(folder.path, 'id'), 'utf8').trim()}_0`
    const state = () => slurm.run('squeue', '--noheader', '--states=all', `--jobs=${id}`, '--format=%T')
    await until(state, (text) => text.trim() === 'COMPLETED')
    assert.equal(await queue.lastOutputOf(id), '')
  })

  it('uses the last value of a repeated option, so that the user’s option overrides its own', async (t) => {
    const slurm = await slurmOrSkip(t)
    if (slurm === undefined) return
    use(slurm)
    using folder = temporaryFolder()
    await using queue = queueIn(folder.path, { options: '--comment=first --comment=last' })
    const [id] = (await queue.submit(['w1:a'])) as [string]
    assert.match(await slurm.run('scontrol', 'show', 'job', id), /Comment=last/)
    await queue.cancel([id])
  })

  it('hides the script and the names from other users, and kills a job that ignores signals at once', async (t) => {
    const slurm = await slurmOrSkip(t)
    if (slurm === undefined) return
    use(slurm)
    using folder = temporaryFolder()
    const command = ['/bin/sh', '-c', 'trap "" TERM; echo up; while :; do sleep 1; done']
    await using queue = queueIn(folder.path, { command })
    const [id] = (await queue.submit(['w1:a'])) as [string]
    for (const [name, mode] of [
      ['slurm', 0o700],
      ['slurm/worker.sh', 0o700],
      ['slurm/workers-1', 0o600],
    ] as const) {
      assert.equal(statSync(join(folder.path, name)).mode & 0o777, mode, name)
    }
    await until(
      () => queue.lastOutputOf(id),
      (text) => text === 'up',
    )
    const start = performance.now()
    await queue.cancel([id])
    await until(
      () => queue.status([id]),
      (states) => statusesOf(states)[0] === 'ended',
    )
    // Cancelled in the usual way, it would take the 10 s of KillWait.
    assert.ok(performance.now() - start < 9500)
  })

  it('reads text if there is no JSON, or if the JSON lists the jobs of others, too', async (t) => {
    const slurm = await slurmOrSkip(t)
    if (slurm === undefined) return
    use(slurm)
    using folder = temporaryFolder()
    const calls = join(folder.path, 'calls')
    const real = (await slurm.run('/bin/sh', '-c', 'command -v squeue')).trim()
    for (const [kind, answer] of Object.entries({
      without: 'case "$*" in *--json*) echo "squeue: unrecognized option \'--json\'" >&2; exit 1;; esac',
      others: ':',
    })) {
      const programs = join(folder.path, kind)
      writeProgram(programs, 'squeue', `echo "$*" >> ${calls}`, answer, `exec ${real} "$@"`)
      use(slurm, programs)
      writeFileSync(calls, '')
      await using others = queueIn(folder.path)
      await using queue = queueIn(folder.path)
      await others.submit(['w1:a'])
      const ids = await queue.submit(['w1:a', 'w2:b'])
      for (let asked = 0; asked < 3; asked++) assert.equal((await queue.status(ids)).size, 2)
      const asked = readFileSync(calls, 'utf8').trim().split('\n')
      assert.deepEqual(
        asked.map((line) => line.includes('--json')),
        [true, false, false, false],
        kind,
      )
    }
  })

  it('reports jobs that are no longer listed as ended, and a failed job as failed', async (t) => {
    const slurm = await slurmOrSkip(t)
    if (slurm === undefined) return
    use(slurm)
    using folder = temporaryFolder()
    await using queue = queueIn(folder.path, { command: ['/bin/sh', '-c', 'echo no such module >&2; exit 3'] })
    const gone = await queue.status(['999999_0', '999999_1'])
    assert.deepEqual(statusesOf(gone), ['ended', 'ended'])
    const [id] = (await queue.submit(['w1:a'])) as [string]
    const states = await until(
      () => queue.status([id]),
      (now) => statusesOf(now)[0] === 'ended',
    )
    assert.deepEqual(states.get(id), { status: 'ended', reason: 'its job failed' })
    assert.equal(await queue.lastOutputOf(id), 'no such module')
    assert.equal((await queue.status([id, '999999_0'])).get('999999_0')?.status, 'ended')
  })

  it('refuses options that SLURM refuses, with its message, before anything is written', async (t) => {
    const slurm = await slurmOrSkip(t)
    if (slurm === undefined) return
    use(slurm)
    using folder = temporaryFolder()
    const queue = queueIn(join(folder.path, 'run'), { options: '--partition=nope' })
    await assert.rejects(queue.check(), {
      name: 'ConfigError',
      code: 'JOB_REFUSED',
      message: /invalid partition specified: nope/,
    })
    assert.throws(() => statSync(join(folder.path, 'run')), /ENOENT/)
    await assert.rejects(queue.submit(['w1:a']), { name: 'InfrastructureError', code: 'JOB_REFUSED' })
  })

  it('kills a call that hangs, with its children, and can be used again', async (t) => {
    const slurm = await slurmOrSkip(t)
    if (slurm === undefined) return
    using folder = temporaryFolder()
    const hang = `[ -e ${folder.path}/well ] || { sleep 600 & echo $! > ${folder.path}/started; wait; }`
    writeProgram(folder.path, 'squeue', hang, 'echo "1_0|PENDING|Priority|"')
    use(slurm, folder.path)
    await using queue = queueIn(folder.path, { callTimeoutMs: 1500 })
    const start = performance.now()
    await assert.rejects(queue.status(['1_0']), {
      name: 'InfrastructureError',
      code: 'QUEUE_UNAVAILABLE',
      message: 'squeue did not answer within 1.5 s',
    })
    assert.ok(performance.now() - start < 60_000)
    const started = Number(readFileSync(join(folder.path, 'started'), 'utf8'))
    await until(
      async () => isAlive(started),
      (alive) => !alive,
    )
    writeFileSync(join(folder.path, 'well'), '')
    assert.equal((await queue.status(['1_0'])).get('1_0')?.status, 'pending')
  })

  it('treats a controller that is down as temporary, and unreadable output as no answer', async (t) => {
    const slurm = await slurmOrSkip(t)
    if (slurm === undefined) return
    using folder = temporaryFolder()
    const failing = (name: string, words: string) => writeProgram(folder.path, name, `echo "${words}" >&2; exit 1`)
    use(slurm, folder.path)
    await using queue = queueIn(folder.path)
    failing('squeue', 'slurm_load_jobs error: Unable to contact slurm controller (connect failure)')
    await assert.rejects(queue.status(['1_0']), { code: 'QUEUE_UNAVAILABLE', message: /Unable to contact/ })
    failing('sbatch', 'sbatch: error: Batch job submission failed: Socket timed out on send/recv operation')
    await assert.rejects(queue.submit(['w1:a']), { code: 'QUEUE_UNAVAILABLE' })
    await queue.check()
    failing('scancel', 'scancel: error: slurm_kill_job2() failed: Unable to contact slurm controller')
    await assert.rejects(queue.cancel(['1_0']), { code: 'QUEUE_UNAVAILABLE' })
    writeProgram(folder.path, 'squeue', 'echo "Today is maintenance day"')
    await assert.rejects(queue.status(['1_0']), { code: 'QUEUE_UNAVAILABLE' })
    writeProgram(folder.path, 'scancel', 'exit 0')
  })
})
