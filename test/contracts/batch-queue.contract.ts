import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { BatchQueue, BatchQueueOptions } from '../../src/adapters/batch/batch-queue.ts'
import { readLogEnd } from '../../src/entry/workers/log-end.ts'
import type { JobState } from '../../src/ports/job-queue.ts'
import type { Cluster, Skippable } from '../support/cluster.ts'
import { temporaryFolder } from '../support/command-line.ts'
import { untilAsync } from '../support/drive.ts'
import { until } from '../support/processes.ts'

export interface BatchSystem {
  readonly name: string
  readonly open: (options: BatchQueueOptions) => BatchQueue
  readonly clusterOrSkip: (t: Skippable) => Promise<Cluster | undefined>
  /** Options without which no job can be submitted. @default '' */
  readonly required?: string
  /** Whether jobs have an environment of their own, as containers have that of their image. @default that of the submitting process */
  readonly hasOwnEnvironment?: boolean
  /** Options that keep a job pending, and options that are refused with a matching message. */
  readonly waiting: string
  readonly refused: readonly [options: string, words: RegExp]
  /** A valid job id that was never given. */
  readonly unknownId: string
}

/** Prints its name and its folder, and ignores the signals that ask it to end. */
const COMMAND = [
  '/bin/sh',
  '-c',
  'trap "" TERM INT USR1 USR2; echo "$BELLIS_WORKER at $PWD"; while :; do sleep 1; done',
]
/** Variables that could end a line, a word or a quotation of a script, and what they are inside of could go on as another. */
const STRANGE = {
  BELLIS_TEST_LINES: 'a\nb=c\n#SBATCH --hold\n#$ -h\n\n',
  BELLIS_TEST_QUOTES: `'"\\"' \\ $HOME $(touch injected) \`touch injected\` ; touch injected`,
  BELLIS_TEST_LIST: 'a,b=c,,=,',
  BELLIS_TEST_CODES: 'a\\0b\\n\t\x01\x7f%n%A ä 🙂',
  BELLIS_TEST_EMPTY: '',
}
/** As bash exports one; /bin/sh may leave it out. */
const SHELL_FUNCTION = { 'BASH_FUNC_bellis_test%%': '() {  echo a;\n touch injected\n}' }
const PRINTER = fileURLToPath(new URL('../support/print-environment.mjs', import.meta.url))
const environment = { ...process.env }
let lastName = 0

/** The contract of every batch system, on a real one. */
export function describeBatchQueue({ name, open, clusterOrSkip, ...system }: BatchSystem): void {
  const { required = '', hasOwnEnvironment = false, refused, unknownId } = system
  const waiting = `${required} ${system.waiting}`.trim()
  const queueIn = (folder: string, more: Partial<BatchQueueOptions> = {}) => {
    // As every run has one.
    mkdirSync(more.folder ?? folder, { recursive: true })
    writeFileSync(join(more.folder ?? folder, 'context'), 'bellis://secret@nowhere:1\n', { mode: 0o600 })
    return open({
      folder,
      jobName: `bellis-contract-${++lastName}`,
      command: COMMAND,
      workFolder: folder,
      readLog: readLogEnd,
      options: required,
      ...more,
    })
  }
  const use = ({ env }: Cluster) => Object.assign(process.env, env)

  afterEach(() => {
    for (const key of Object.keys(process.env)) if (!(key in environment)) delete process.env[key]
    Object.assign(process.env, environment)
  })

  describe(`the queue of ${name}`, () => {
    it('a batch queue runs a job per worker with its name, in a folder of any name, and cancels each at once', async (t) => {
      const cluster = await clusterOrSkip(t)
      if (cluster === undefined) return
      use(cluster)
      using temporary = temporaryFolder()
      const folder = join(temporary.path, 'it\'s "100 %A" \\ $(touch x) `touch y`; $HOME, a:b')
      mkdirSync(folder)
      await using queue = queueIn(folder)
      const ids = await queue.submit(['w1:a', 'w2:b'])
      assert.equal(new Set(ids).size, 2)
      for (const [index, id] of ids.entries()) {
        const line = `${['w1:a', 'w2:b'][index]} at ${folder}\n`
        await untilAsync('the job has started', async () => (await queue.lastOutputOf(id)) === line.trim())
        assert.equal(readFileSync(queue.logFileOf(id), 'utf8'), line)
      }
      const running = await queue.status(ids)
      assert.deepEqual(
        ids.map((id) => running.get(id)?.status),
        ['running', 'running'],
      )
      const [first, second] = ids as [string, string]
      const start = performance.now()
      await queue.cancel([first])
      await ended(queue, [first])
      assert.equal((await queue.status(ids)).get(second)?.status, 'running')
      await queue.cancel([...ids, unknownId])
      await ended(queue, ids)
      assert.ok(performance.now() - start < 10_000)
    })

    const what = hasOwnEnvironment ? 'nothing of the environment' : 'the environment, whatever its values contain'
    it(`a batch queue passes on ${what}`, async (t) => {
      const cluster = await clusterOrSkip(t)
      if (cluster === undefined) return
      use(cluster)
      Object.assign(process.env, STRANGE, SHELL_FUNCTION)
      using folder = temporaryFolder()
      const done = join(folder.path, 'environment')
      const command = [
        '/bin/sh',
        '-c',
        '"$1" "$2" > "$3.part" && mv "$3.part" "$3"',
        'sh',
        process.execPath,
        PRINTER,
        done,
      ]
      await using queue = queueIn(folder.path, { command })
      await queue.submit(['w1:a'])
      await until('the job has printed its environment', () => existsSync(done))
      const found = JSON.parse(readFileSync(done, 'utf8')) as Record<string, string>
      const passedOn = Object.fromEntries(Object.entries(found).filter(([key]) => key in STRANGE))
      assert.deepEqual(passedOn, hasOwnEnvironment ? {} : STRANGE)
      assert.equal(found.BELLIS_WORKER, 'w1:a')
      assert.equal(existsSync(join(folder.path, 'injected')), false)
    })

    it('a batch queue refuses line breaks in folders: what follows could be a directive of the script', () => {
      using folder = temporaryFolder()
      const words = name === 'SLURM' ? '#SBATCH' : name === 'SGE' ? '#$' : '#PBS'
      const wrong = `${folder.path}/a\n${words} -o /etc`
      for (const more of [{ folder: wrong }, { workFolder: wrong }, { command: ['bellis', 'worker', wrong] }]) {
        assert.throws(() => queueIn(folder.path, more), { code: 'INVALID_CONFIG', message: /line breaks; rename/ })
      }
    })

    it('a batch queue reports pending jobs with the reason, and cancels them when it is disposed, or by its printed command', async (t) => {
      const cluster = await clusterOrSkip(t)
      if (cluster === undefined) return
      use(cluster)
      using folder = temporaryFolder()
      const others = queueIn(folder.path, { options: waiting, folder: join(folder.path, 'others') })
      const [other = ''] = await others.submit(['w1:a'])
      const queue = queueIn(folder.path, { options: waiting })
      const ids = await queue.submit(['w1:a', 'w2:b', 'w3:c'])
      const seen = await queue.status(ids)
      for (const id of ids) {
        const state = seen.get(id) as JobState
        assert.ok(state.status === 'pending' && state.reason !== '', JSON.stringify(state))
      }
      await promisify(execFile)('/bin/sh', ['-c', queue.commandFor(2)])
      await queue[Symbol.asyncDispose]()
      await queue[Symbol.asyncDispose]()
      await ended(others, ids)
      assert.equal((await others.status([other])).get(other)?.status, 'pending')
      await others[Symbol.asyncDispose]()
    })

    it('a batch queue keeps its script and the worker names readable by this user only', async (t) => {
      const cluster = await clusterOrSkip(t)
      if (cluster === undefined) return
      use(cluster)
      using folder = temporaryFolder()
      await using queue = queueIn(folder.path, { options: waiting })
      await queue.submit(['w1:a'])
      const mode = (path: string) => (statSync(join(folder.path, name.toLowerCase(), path)).mode & 0o777).toString(8)
      assert.deepEqual(['', 'worker.sh', 'workers-1'].map(mode), ['700', '700', '600'])
    })

    it('a batch queue reports a job that it does not know as ended', async (t) => {
      const cluster = await clusterOrSkip(t)
      if (cluster === undefined) return
      use(cluster)
      using folder = temporaryFolder()
      await using queue = queueIn(folder.path)
      const states = await queue.status([unknownId])
      assert.deepEqual(states.get(unknownId), { status: 'ended', reason: 'its job is no longer in the queue' })
      assert.equal(await queue.lastOutputOf(unknownId), '')
    })

    it("a batch queue refuses options that the system refuses, with the system's message", async (t) => {
      const cluster = await clusterOrSkip(t)
      if (cluster === undefined) return
      use(cluster)
      using folder = temporaryFolder()
      const [options, words] = refused
      await using queue = queueIn(folder.path, { options })
      await assert.rejects(queue.check(), { name: 'ConfigError', code: 'JOB_REFUSED', message: words })
      await assert.rejects(queue.submit(['w1:a']), { name: 'InfrastructureError', code: 'JOB_REFUSED' })
      await queueIn(folder.path).check()
    })

    it('a batch queue reports a system that is not installed', async () => {
      using folder = temporaryFolder()
      process.env.PATH = folder.path
      const message = new RegExp(`was not found; is ${name} installed here`)
      await assert.rejects(queueIn(folder.path).check(), { code: 'JOB_REFUSED', message })
    })

    it('a batch queue without an answer says so, and leaves the cancelling to another process when it ends', async () => {
      using folder = temporaryFolder()
      const programs = join(folder.path, 'bin')
      const calls = join(folder.path, 'calls')
      mkdirSync(programs)
      for (const program of ['squeue', 'qstat', 'bjobs', 'scancel', 'qdel', 'bkill', 'kubectl']) {
        const script = `#!/bin/sh\necho "${program} $*" >> ${calls}\nexec sleep 30\n`
        writeFileSync(join(programs, program), script, { mode: 0o755 })
      }
      process.env.PATH = `${programs}:${environment.PATH}`
      const queue = queueIn(folder.path, { callTimeoutMs: 300 })
      await assert.rejects(queue.status([unknownId]), {
        code: 'QUEUE_UNAVAILABLE',
        message: /did not answer within 0.3 s/,
      })
      queue.commandFor(1)
      const jobName = `bellis-contract-${lastName}`
      await assert.rejects(async () => await queue[Symbol.asyncDispose](), {
        code: 'QUEUE_UNAVAILABLE',
        message: new RegExp(
          `jobs of this run may remain. Cancel them with: .*(scancel|qdel|bkill|kubectl .*delete) .*${jobName}`,
        ),
      })
      const isLast = (line: string) =>
        /^(scancel|qdel|bkill|kubectl .*\bdelete\b)/.test(line) && !line.includes('PENDING')
      const called = () => (existsSync(calls) ? readFileSync(calls, 'utf8').split('\n') : [])
      await until('another process cancels the jobs', () => called().some(isLast))
    })
  })
}

const ended = (queue: BatchQueue, ids: readonly string[]) =>
  untilAsync('the jobs have ended', async () => {
    const states = await queue.status(ids)
    return ids.every((id) => states.get(id)?.status === 'ended')
  })
