import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { BatchQueueOptions } from '../../../../src/adapters/batch/batch-queue.ts'
import { kubernetesQueue } from '../../../../src/adapters/batch/kubernetes/kubernetes-queue.ts'
import { readLogEnd } from '../../../../src/entry/workers/log-end.ts'
import type { JobState } from '../../../../src/ports/job-queue.ts'
import { describeBatchQueue } from '../../../contracts/batch-queue.contract.ts'
import { temporaryFolder } from '../../../support/command-line.ts'
import { untilAsync } from '../../../support/drive.ts'
import { describeJobLauncher } from '../../../support/job-launcher-contract.ts'
import { type KubernetesCluster, kubernetesOrSkip, kubernetesStandIn } from '../../../support/kubernetes.ts'

const IMAGE = '--image=bellis.example/bellis:1'

for (const clusterOrSkip of [kubernetesStandIn, kubernetesOrSkip]) {
  describeBatchQueue({
    name: 'Kubernetes',
    open: kubernetesQueue,
    clusterOrSkip,
    required: IMAGE,
    hasOwnEnvironment: true,
    waiting: '--node-selector=disk=none',
    refused: [
      `${IMAGE} --namespace=nope`,
      /^Kubernetes rejects workers with these options: .*namespaces "nope" not found/,
    ],
    unknownId: 'bellis-unknown-1-0',
  })

  describeJobLauncher({
    name: 'Kubernetes',
    open: kubernetesQueue,
    clusterOrSkip,
    required: IMAGE,
    async count(cluster, jobName) {
      const text = await cluster.run('kubectl', 'get', 'pods', `--selector=bellis/start=${jobName}`, '-o', 'json')
      const { items } = JSON.parse(text) as { items: { status: { phase: string } }[] }
      return items.filter(({ status }) => /Pending|Running/.test(status.phase)).length
    },
  })
}

let opened = 0

function queueIn(folder: string, more: Partial<BatchQueueOptions> = {}) {
  writeFileSync(join(folder, 'context'), 'bellis://secret@nowhere:1\n', { mode: 0o600 })
  return kubernetesQueue({
    folder,
    jobName: `Bellis_pods_${++opened}`,
    command: ['/bin/sh', '-c', 'echo "$BELLIS_WORKER on $BELLIS_NODE with $BELLIS_CONTEXT"; exec sleep 60'],
    workFolder: folder,
    readLog: readLogEnd,
    options: IMAGE,
    ...more,
  })
}

async function state(queue: ReturnType<typeof queueIn>, id: string, status: JobState['status']): Promise<JobState> {
  let last: JobState | undefined
  await untilAsync(`the pod is ${status}`, async () => {
    last = (await queue.status([id])).get(id)
    return last?.status === status
  })
  return last as JobState
}

/** The cluster, with its variables in this process; undefined if there is none. */
async function clusterOf(t: { skip(message?: string): void }): Promise<KubernetesCluster | undefined> {
  const cluster = await kubernetesOrSkip(t)
  Object.assign(process.env, cluster?.env)
  return cluster
}

describe('workers as pods', () => {
  it('get the context of the run from a Secret, which goes with the job, and are named by their node', async (t) => {
    const cluster = await clusterOf(t)
    if (cluster === undefined) return
    using folder = temporaryFolder()
    const queue = queueIn(folder.path)
    const [id = ''] = await queue.submit(['w1:a'])
    const running = await state(queue, id, 'running')
    assert.ok(running.status === 'running' && cluster.nodes.includes(running.host))
    await untilAsync('it has printed', async () => (await queue.lastOutputOf(id)) !== '')
    assert.equal(await queue.lastOutputOf(id), `w1:a on ${running.host} with bellis://secret@nowhere:1`)
    const left = () =>
      cluster.run('kubectl', 'get', 'jobs,secrets,pods', '-l', 'bellis/start=bellis-pods-1', '-o', 'name')
    assert.match(await left(), /^job\.batch\/bellis-pods-1-1\nsecret\/bellis-pods-1-1\npod\//m)
    await queue[Symbol.asyncDispose]()
    await untilAsync('nothing is left', async () => (await left()) === '')
  })

  it('that an earlier start of the run has left are removed by the next start', async (t) => {
    const cluster = await clusterOf(t)
    if (cluster === undefined) return
    using folder = temporaryFolder()
    const killed = queueIn(folder.path)
    const [id = ''] = await killed.submit(['w1:a'])
    await state(killed, id, 'running')
    await using next = queueIn(folder.path)
    await next.check()
    await state(killed, id, 'ended')
  })

  it('run on no node that is avoided', async (t) => {
    const cluster = await clusterOf(t)
    if (cluster === undefined) return
    using folder = temporaryFolder()
    await using queue = queueIn(folder.path)
    const [bad = '', good] = cluster.nodes
    assert.equal(queue.avoid?.([bad]), true)
    const ids = await queue.submit(['w1:a', 'w2:b', 'w3:c', 'w4:d'])
    for (const id of ids) assert.deepEqual(await state(queue, id, 'running'), { status: 'running', host: good })
    queue.avoid?.(cluster.nodes)
    const [waiting = ''] = await queue.submit(['w5:e'])
    assert.match(JSON.stringify(await state(queue, waiting, 'pending')), /node/)
  })

  it('are reported with the reason if they run out of memory, fail, end, or have no image', async (t) => {
    const cluster = await clusterOf(t)
    if (cluster === undefined) return
    using folder = temporaryFolder()
    const endOf = async (more: Partial<BatchQueueOptions>) => {
      await using queue = queueIn(folder.path, more)
      const [id = ''] = await queue.submit(['w1:a'])
      return await state(queue, id, 'ended')
    }
    const eats = 'const all = []; for (;;) all.push(Buffer.alloc(2 ** 20, 1))'
    assert.deepEqual(await endOf({ options: `${IMAGE} --memory=200Mi`, command: [process.execPath, '-e', eats] }), {
      status: 'ended',
      reason: 'its pod failed: OOMKilled, exit code 137',
      outOfMemory: { asked: '--memory=200Mi' },
    })
    assert.deepEqual(await endOf({ command: ['/bin/sh', '-c', 'exit 3'] }), {
      status: 'ended',
      reason: 'its pod failed: exit code 3',
    })
    assert.deepEqual(await endOf({ command: ['true'] }), { status: 'ended', reason: 'its pod ended' })
    await using queue = queueIn(folder.path, { options: '--image=bellis.example/missing' })
    const [id = ''] = await queue.submit(['w1:a'])
    const words = /ErrImagePull: failed to pull image/
    await untilAsync('the reason', async () => words.test(JSON.stringify(await state(queue, id, 'pending'))))
  })

  it('that a quota forbids are reported with the words of the quota', async (t) => {
    const cluster = await clusterOf(t)
    if (cluster === undefined) return
    using folder = temporaryFolder()
    const inSmall = (...words: readonly string[]) => cluster.run('kubectl', '--namespace=small', ...words)
    await cluster.run('kubectl', 'create', 'namespace', 'small')
    await inSmall('create', 'quota', 'none-left', '--hard=pods=0')
    // What the controller of quotas would count.
    const counted = '{"status":{"hard":{"pods":"0"},"used":{"pods":"0"}}}'
    await inSmall('patch', 'quota', 'none-left', '--subresource=status', '--type=merge', '-p', counted)
    await using queue = queueIn(folder.path, { options: `${IMAGE} --namespace=small` })
    const [id = ''] = await queue.submit(['w1:a'])
    const words = /it has no pod: FailedCreate: Error creating: pods .* exceeded quota: none-left, .* limited: pods=0/
    await untilAsync('the reason', async () => words.test(JSON.stringify(await state(queue, id, 'pending'))))
  })

  it('of which one has failed leave the others running', async (t) => {
    const cluster = await clusterOf(t)
    if (cluster === undefined) return
    using folder = temporaryFolder()
    await using queue = queueIn(folder.path, {
      command: ['/bin/sh', '-c', 'case $BELLIS_WORKER in w1:*) exit 1;; esac; exec sleep 60'],
    })
    const [first = '', second = ''] = await queue.submit(['w1:a', 'w2:b'])
    await state(queue, second, 'running')
    assert.match(JSON.stringify(await state(queue, first, 'ended')), /exit code 1/)
    await cluster.run(
      'kubectl',
      'wait',
      '--for=jsonpath={.status.failed}=1',
      '--timeout=20s',
      `job/${second.slice(0, -2)}`,
    )
    assert.equal((await queue.status([second])).get(second)?.status, 'running')
  })

  it('whose submission had no answer are found by the name of their job', async (t) => {
    const cluster = await clusterOf(t)
    if (cluster === undefined) return
    using folder = temporaryFolder()
    const bin = join(folder.path, 'bin')
    await using queue = queueIn(folder.path)
    mkdirSync(bin)
    const PATH = process.env.PATH as string
    writeFileSync(join(bin, 'kubectl'), brokenKubectl(PATH), { mode: 0o755 })
    process.env.PATH = `${bin}:${PATH}`
    try {
      const ids = await queue.submit(['w1:a', 'w2:b'])
      assert.deepEqual(
        ids,
        [0, 1].map((index) => `bellis-pods-${opened}-1-${index}`),
      )
    } finally {
      process.env.PATH = PATH
    }
  })
})

/** A kubectl that creates jobs, but whose answer about them is lost. */
const brokenKubectl = (path: string): string =>
  [
    '#!/bin/sh',
    `export PATH='${path}'`,
    'case "$*" in',
    '*"create -o name -f -"*) kubectl "$@" > /dev/null; echo "Unable to connect to the server: EOF" >&2; exit 1 ;;',
    '*) exec kubectl "$@" ;;',
    'esac',
    '',
  ].join('\n')
