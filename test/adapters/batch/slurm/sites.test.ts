import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, it } from 'node:test'
import type { BatchQueue, BatchQueueOptions } from '../../../../src/adapters/batch/batch-queue.ts'
import { slurmQueue } from '../../../../src/adapters/batch/slurm/slurm-queue.ts'
import { systemClock } from '../../../../src/entry/clock.ts'
import { readLogEnd } from '../../../../src/entry/workers/log-end.ts'
import { jobLauncher } from '../../../../src/runtime/launchers/job-launcher.ts'
import { temporaryFolder } from '../../../support/command-line.ts'
import { untilAsync } from '../../../support/drive.ts'
import { type SlurmCluster, slurmOrSkip } from '../../../support/slurm.ts'

const environment = { ...process.env }
let lastName = 0

afterEach(() => {
  for (const key of Object.keys(process.env)) if (!(key in environment)) delete process.env[key]
  Object.assign(process.env, environment)
})

/** Makes this process use a cluster through a site's own programs, shell scripts in which `real` is SLURM's. */
async function use(slurm: SlurmCluster, folder: string, programs: Readonly<Record<string, string>> = {}) {
  const before = join(folder, 'programs')
  mkdirSync(before)
  for (const [name, script] of Object.entries(programs)) {
    const real = (await slurm.run('/bin/sh', '-c', `command -v ${name}`)).trim()
    writeFileSync(join(before, name), `#!/bin/sh\nreal=${real}\n${script}\n`, { mode: 0o755 })
  }
  Object.assign(process.env, slurm.env, { PATH: `${before}:${slurm.env.PATH}` })
}

const queueIn = (folder: string, options: Partial<BatchQueueOptions> = {}) =>
  slurmQueue({
    folder,
    jobName: `bellis-site-${++lastName}`,
    command: ['/bin/sh', '-c', 'exec sleep 600'],
    workFolder: folder,
    readLog: readLogEnd,
    ...options,
  })

const reach = (queue: BatchQueue, ids: readonly string[], status: string) =>
  untilAsync(`the jobs are ${status}`, async () => {
    const states = await queue.status(ids)
    return ids.every((id) => states.get(id)?.status === status)
  })

/** The jobs of this test that have not ended. */
const left = async (slurm: SlurmCluster) =>
  (await slurm.run('squeue', '--noheader', '--array', `--name=bellis-site-${lastName}`, '--format=%i'))
    .split('\n')
    .filter(Boolean)

const onSlurm = (title: string, test: (slurm: SlurmCluster, folder: string) => Promise<void>, site: string[] = []) =>
  it(title, async (t) => {
    const slurm = await slurmOrSkip(t, site)
    if (slurm === undefined) return
    using folder = temporaryFolder()
    await test(slurm, folder.path)
  })

describe('a node that is to be left out on SLURM', () => {
  onSlurm('gets no further job, and counts again if SLURM refuses what is left', async (slurm, folder) => {
    await use(slurm, folder)
    await using queue = queueIn(folder)
    assert.equal(queue.avoid?.(['n1']), true)
    const ids = await queue.submit(['w1', 'w2', 'w3'])
    await reach(queue, ids, 'running')
    const states = await queue.status(ids)
    assert.deepEqual(
      ids.map((id) => states.get(id)),
      ids.map(() => ({ status: 'running', host: 'n2' })),
    )
    await queue.cancel(ids)
    // SLURM does not know this one, and accepts no job that leaves it out.
    queue.avoid?.(['n1', 'n999'])
    await assert.rejects(queue.submit(['w4']), { code: 'JOB_REFUSED' })
    const [id = ''] = await queue.submit(['w4'])
    await reach(queue, [id], 'running')
    await queue.cancel([id])
  })

  onSlurm("is left out besides the user's own", async (slurm, folder) => {
    await use(slurm, folder)
    await using queue = queueIn(folder, { options: '--exclude=n2' })
    assert.equal(queue.avoid?.(['n2']), true)
    const [id = ''] = await queue.submit(['w1'])
    await reach(queue, [id], 'running')
    assert.equal(((await queue.status([id])).get(id) as { host: string }).host, 'n1')
    await queue.cancel([id])
  })
})

describe('the environment of a run on SLURM', () => {
  onSlurm('does not change what a run asks of sbatch, squeue and scancel', async (slurm, folder) => {
    await use(slurm, folder)
    Object.assign(process.env, {
      ...{ SBATCH_JOB_NAME: 'mine', SBATCH_OUTPUT: '/tmp/mine', SBATCH_ARRAY_INX: '0-7', SBATCH_WAIT: '1' },
      ...{ SBATCH_EXPORT: 'NONE', SBATCH_REQUEUE: '1', SBATCH_SIGNAL: 'KILL@9', SBATCH_DEBUG: '2' },
      ...{ SQUEUE_FORMAT: '%j', SQUEUE_STATES: 'FAILED', SQUEUE_USERS: 'nobody', SQUEUE_PARTITION: 'urgent' },
      ...{ SCANCEL_NAME: 'other', SCANCEL_STATE: 'SUSPENDED', SCANCEL_INTERACTIVE: '1', SLURM_BITSTR_LEN: '1' },
      ...{ SALLOC_PARTITION: 'nope', SLURM_PARTITION: 'nope', SLURM_TIME_FORMAT: 'relative' },
      BELLIS_TEST_MARK: 'passed on',
    })
    await using queue = queueIn(folder, {
      command: ['/bin/sh', '-c', 'echo "$BELLIS_TEST_MARK"; exec sleep 600'],
    })
    await queue.check()
    const ids = await queue.submit(['w1:a', 'w2:b'])
    assert.equal(ids.length, 2)
    await reach(queue, ids, 'running')
    assert.equal((await left(slurm)).length, 2)
    await untilAsync('it has printed', async () => (await queue.lastOutputOf(ids[0] as string)) === 'passed on')
    const job = await slurm.run('scontrol', 'show', 'job', ids[0] as string)
    assert.match(job, /Requeue=0/)
    await queue.cancel(ids)
    await reach(queue, ids, 'ended')
  })

  onSlurm("keeps the user's defaults for what a run leaves open, which --slurm overrides", async (slurm, folder) => {
    await use(slurm, folder)
    Object.assign(process.env, { SBATCH_ACCOUNT: 'bio', SBATCH_PARTITION: 'urgent' })
    await using queue = queueIn(folder, { options: '--partition=short' })
    const ids = await queue.submit(['w1:a'])
    const job = await slurm.run('scontrol', 'show', 'job', ids[0] as string)
    assert.match(job, /Account=bio/)
    assert.match(job, /Partition=short/)
    await queue.cancel(ids)
  })

  onSlurm('does not carry the variables of a job in which a run was started to its workers', async (slurm, folder) => {
    await use(slurm, folder)
    Object.assign(process.env, {
      SLURM_JOB_ID: '1',
      SLURM_MEM_PER_CPU: '7',
      SLURM_NTASKS: '64',
      SLURM_ARRAY_TASK_ID: '9',
    })
    await using queue = queueIn(folder, {
      command: ['/bin/sh', '-c', 'echo "[$SLURM_MEM_PER_CPU$SLURM_NTASKS] $SLURM_ARRAY_TASK_ID"; exec sleep 600'],
    })
    const [id] = (await queue.submit(['w1:a'])) as [string]
    await untilAsync('it has printed', async () => (await queue.lastOutputOf(id)) === '[] 0')
    await queue.cancel([id])
  })
})

describe('the number of a job', () => {
  onSlurm('is found whatever a site prints around it', async (slurm, folder) => {
    const sbatch = 'echo "Welcome to Deep Thought, 42 users"; $real "$@"; echo; echo "Charged 120 SU to bio."'
    await use(slurm, folder, { sbatch })
    await using queue = queueIn(folder)
    const ids = await queue.submit(['w1:a', 'w2:b'])
    await reach(queue, ids, 'running')
    await queue.cancel(ids)
  })

  onSlurm('may name a cluster, on which its job is then followed and cancelled', async (slurm, folder) => {
    // As if this cluster were another one than the default.
    const onEast = (otherwise: string) =>
      `n=$#; while [ $n -gt 0 ]; do a=$1; shift; [ "$a" = --clusters=east ] && east=1 || set -- "$@" "$a"; n=$((n-1)); done\n[ -n "$east" ] || { ${otherwise}; }\n`
    await use(slurm, folder, {
      sbatch: `[ "$SBATCH_CLUSTERS" = east ] || exit 1; unset SBATCH_CLUSTERS; id=$($real "$@") && echo "$id;east"`,
      squeue: `${onEast('echo "slurm_load_jobs error: Invalid job id specified" >&2; exit 1')}echo "CLUSTER: east"; $real "$@"`,
      scancel: `${onEast('exit 0')}$real "$@"`,
    })
    process.env.SBATCH_CLUSTERS = 'east'
    const queue = queueIn(folder)
    const ids = await queue.submit(['w1:a', 'w2:b'])
    assert.match(ids.join(' '), /^\d+_0;east \d+_1;east$/)
    await reach(queue, ids, 'running')
    assert.match(queue.logFileOf(ids[0] as string), /slurm-\d+_0\.log$/)
    await queue.cancel([ids[0] as string])
    await reach(queue, [ids[0] as string], 'ended')
    assert.equal((await left(slurm)).length, 1)
    await queue.cancel(ids)
    const waiting = await queue.submit(['w3:c'])
    assert.equal(waiting.length, 1)
    await queue.cancel(waiting)
    await queue[Symbol.asyncDispose]()
    await untilAsync('no job is left', async () => (await left(slurm)).length === 0)
  })

  for (const [what, sbatch] of [
    ['is missing', '$real "$@" > /dev/null'],
    ['is one of several', '$real "$@"; echo 17'],
    [
      'comes with an error',
      '$real "$@"; echo "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation" >&2; exit 1',
    ],
    ['is lost with an unknown error', '$real "$@" > /dev/null; echo "charging failed" >&2; exit 3'],
    ['comes too late', '$real "$@"; exec sleep 600'],
  ] as const) {
    onSlurm(`is looked up by the job's name if it ${what}`, async (slurm, folder) => {
      await use(slurm, folder, { sbatch })
      await using queue = queueIn(folder, { callTimeoutMs: 1500 })
      // Jobs that were added by hand have the same name.
      await slurm.run('/bin/sh', '-c', `${queue.commandFor(2).replace('sbatch', 'exec sbatch')}`)
      const ids = await queue.submit(['w1:a', 'w2:b'])
      assert.equal(ids.length, 2)
      assert.ok((await left(slurm)).every((id) => /^\d+_\d$/.test(id)))
      await reach(queue, ids, 'running')
      await slurm.run('scancel', `--name=bellis-site-${lastName}`)
    })
  }

  onSlurm(
    'stands for all its jobs: those of a submission that a site has doubled are cancelled',
    async (slurm, folder) => {
      await use(slurm, folder, { sbatch: '$real "$@"; $real "$@"' })
      await using queue = queueIn(folder)
      await assert.rejects(queue.submit(['w1:a']), { code: 'QUEUE_UNAVAILABLE' })
      await untilAsync('no job is left', async () => (await left(slurm)).length === 0)
    },
  )

  onSlurm(
    'may stay unknown while SLURM does not answer: the next submission cancels its jobs',
    async (slurm, folder) => {
      const timedOut = 'echo "error: Socket timed out on send/recv operation" >&2; exit 1'
      const state = join(folder, 'is-up')
      await use(slurm, folder, {
        sbatch: `$real "$@"; [ -e ${state} ] || { ${timedOut}; }`,
        squeue: `[ -e ${state} ] || { ${timedOut}; }; $real "$@"`,
      })
      await using queue = queueIn(folder, { options: '--begin=now+1hour' })
      await assert.rejects(queue.submit(['w1:a']), { code: 'QUEUE_UNAVAILABLE', message: /Socket timed out/ })
      const [lost] = await left(slurm)
      assert.ok(lost !== undefined)
      writeFileSync(state, '')
      const ids = await queue.submit(['w1:a'])
      assert.deepEqual(await left(slurm), ids)
      assert.notDeepEqual(ids, [lost])
      await queue.cancel(ids)
    },
  )
})

describe('what SLURM refuses', () => {
  const site = [
    'PartitionName=backup Nodes=n1 AllowAccounts=bio AllowQos=normal MaxTime=10 State=UP',
    'PartitionName=closed Nodes=n1 State=DOWN',
    'EnforcePartLimits=ALL',
  ]
  for (const [options, words] of [
    ['--partition=standby-timeout', /invalid partition specified: standby-timeout/],
    ['--constraint=a100', /Invalid feature specification/],
    ['--reservation=friday', /Requested reservation is invalid/],
    ['--gres=gpu:1', /Requested node configuration is not available|gres/],
    ['--mem=1T', /Requested node configuration is not available|Memory specification/],
    ['--partition=backup --time=60', /time limit/],
    ['--partition=backup --account=chem', /account/i],
  ] as const) {
    onSlurm(
      `is told before the start: ${options}`,
      async (slurm, folder) => {
        await use(slurm, folder)
        await using queue = queueIn(folder, { options })
        await assert.rejects(queue.check(), { name: 'ConfigError', code: 'JOB_REFUSED', message: words })
      },
      site,
    )
  }

  onSlurm(
    'is not what only has to wait, such as jobs for a partition that is down',
    async (slurm, folder) => {
      await use(slurm, folder)
      await using queue = queueIn(folder, { options: '--partition=closed' })
      await queue.check()
    },
    site,
  )
})

describe('a site with limits', () => {
  const limits = ['MaxArraySize=4', 'MaxJobCount=6']

  onSlurm(
    'has as many workers as it accepts at a time, in arrays of its largest size, and more once others have ended',
    async (slurm, folder) => {
      await use(slurm, folder)
      const queue = queueIn(folder, { options: '--begin=now+1hour' })
      await using launcher = jobLauncher({ queue, clock: systemClock })
      const workers = await Promise.all(Array.from({ length: 8 }, (_, index) => launcher.launch(`w${index}`, 'a')))
      let most = 0
      await untilAsync('it has accepted what it can', async () => {
        most = Math.max(most, (await left(slurm)).length)
        return most >= 5
      })
      assert.ok(most <= 6, `${most} jobs`)
      for (const worker of workers) worker.kill()
      await untilAsync('no job is left', async () => (await left(slurm)).length === 0)
    },
    limits,
  )

  onSlurm(
    'says how a job ended that squeue has forgotten, from its accounts if it keeps any',
    async (slurm, folder) => {
      // This SLURM keeps no accounts; the other answer is that of a SLURM which does.
      const asked = join(folder, 'asked')
      await use(slurm, folder, {
        sacct: `echo "$*" >> ${asked}; [ -e ${folder}/accounts ] || exec $real "$@"\necho "999999_0|OUT_OF_MEMORY\n999999_1|CANCELLED by 0\n999999_2|RUNNING"`,
      })
      const ids = ['999999_0', '999999_1', '999999_2', '999999_3']
      const reasons = async (queue: BatchQueue) => {
        const states = await queue.status(ids)
        return ids
          .map((id) => states.get(id))
          .map((state) => (state?.status === 'ended' ? state.reason : state?.status))
      }
      const forgotten = 'its job is no longer in the queue'
      await using without = queueIn(folder)
      assert.deepEqual(
        await reasons(without),
        ids.map(() => forgotten),
      )
      await reasons(without)
      // A cluster without accounts is asked once.
      assert.equal(readFileSync(asked, 'utf8').trim().split('\n').length, 1)
      writeFileSync(join(folder, 'accounts'), '')
      await using queue = queueIn(folder)
      assert.deepEqual(await reasons(queue), [
        'its job used more memory than it requested (--mem)',
        'its job was cancelled',
        forgotten,
        forgotten,
      ])
    },
  )
})
