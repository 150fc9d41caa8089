import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { Cluster } from '../support/cluster.ts'
import { bellis, hashVoxels, temporaryFolder } from '../support/command-line.ts'
import { drive, eventsOf, untilAsync } from '../support/drive.ts'
import { kubernetesOrSkip, kubernetesStandIn } from '../support/kubernetes.ts'
import { until } from '../support/processes.ts'
import { runsIn } from '../support/recorded-runs.ts'
import { SMOOTHED, sampleForAll } from '../support/smoothed-sample.ts'

const raw = sampleForAll()
const IMAGE = '--image=bellis.example/bellis:1'

const smooth = (...more: string[]) => [
  ...['smooth', raw, 'out.zarr/s', '--sigma', '2', '--block-write', '8,24,24'],
  ...['--pool', 'kubernetes', '--workers', '2', '--kubernetes', IMAGE, ...more],
]

const objectsOf = async (cluster: Cluster, kinds = 'jobs,pods,secrets'): Promise<string[]> => {
  const names = await cluster.run('kubectl', 'get', kinds, '--selector=bellis/start', '-o', 'name')
  return names.split('\n').filter((name) => name !== '')
}

const nothingLeft = (cluster: Cluster) =>
  untilAsync('nothing is left', async () => (await objectsOf(cluster)).length === 0)

for (const [name, clusterOrSkip] of [
  ['a stand-in for Kubernetes', kubernetesStandIn],
  ['Kubernetes', kubernetesOrSkip],
] as const) {
  describe(`a run on ${name}`, () => {
    it('gives the correct result, also with workers started by the printed command, and leaves nothing behind', async (t) => {
      const cluster = await clusterOrSkip(t)
      if (cluster === undefined) return
      using folder = temporaryFolder()
      const { code, stderr } = await bellis(smooth('--block-write', '4,12,12', '--run-dir', "it's here"), {
        cwd: folder.path,
        env: cluster.env,
        meanwhile: async ({ output }) => {
          const line = await until('it is printed', () => /^ {2}(sh .+worker\.sh' 4)$/m.exec(output.stderr)?.[1])
          await cluster.run('/bin/sh', '-c', line)
          await untilAsync('pods of both run', async () => (await objectsOf(cluster, 'pods')).length > 2)
        },
      })
      assert.equal(code, 0, stderr)
      assert.equal(await hashVoxels(join(folder.path, 'out.zarr/s')), SMOOTHED)
      await nothingLeft(cluster)
    })

    it('is refused before it writes anything', async (t) => {
      const cluster = await clusterOrSkip(t)
      if (cluster === undefined) return
      using folder = temporaryFolder()
      const { env } = cluster
      const args = smooth('--kubernetes', `${IMAGE} --namespace=nope`)
      const { code, stderr } = await bellis(args, { cwd: folder.path, env })
      assert.equal(code, 2)
      assert.match(stderr, /Kubernetes rejects workers with these options: .*namespaces "nope" not found/)
      assert.deepEqual(readdirSync(folder.path), [])
    })
  })
}

describe('a run on Kubernetes', () => {
  it('replaces a pod that was deleted, and exposes its token to nobody', async (t) => {
    const cluster = await kubernetesOrSkip(t)
    if (cluster === undefined) return
    using folder = temporaryFolder()
    const config = { folder: folder.path, blocks: 3, how: 'wait-for-go', at: [0] }
    const meanwhile = async () => {
      await until('block 0 has started', () => existsSync(join(folder.path, 'begun-0')))
      const [run] = runsIn(folder.path)
      const context = join(folder.path, '.bellis', run as string, 'context')
      const token = /\/\/(\w{32})@/.exec(readFileSync(context, 'utf8'))?.[1] as string
      const seen = [
        await cluster.run('kubectl', 'get', 'jobs,pods', '-o', 'yaml'),
        await cluster.run('ps', '-A', '-ww', '-o', 'args='),
      ]
      for (const text of seen) assert.doesNotMatch(text, new RegExp(token))
      await cluster.run('kubectl', 'delete', 'pods', '--selector=bellis/start', '--grace-period=1', '--wait=true')
      writeFileSync(join(folder.path, 'go-0'), '')
    }
    const options = { pool: 'kubernetes', workers: 1, kubernetes: IMAGE }
    const driven = await drive('misbehave.ts', config, options, { env: cluster.env, meanwhile })
    assert.equal(driven.result.ok, true, driven.stderr)
    const [retried] = eventsOf(driven, 'block-retried')
    assert.deepEqual([retried?.index, retried?.error.code], [0, 'WORKER_DIED'])
    await nothingLeft(cluster)
  })

  it('continues when its coordinator was killed, with new pods, and removes those that were left', async (t) => {
    const cluster = await kubernetesOrSkip(t)
    if (cluster === undefined) return
    using folder = temporaryFolder()
    const { env } = cluster
    const args = smooth('--block-write', '4,12,12')
    const killed = await bellis(args, {
      cwd: folder.path,
      env,
      meanwhile: async ({ pid }) => {
        await untilAsync('two pods', async () => (await objectsOf(cluster, 'pods')).length === 2)
        await until('blocks are written', () => existsSync(join(folder.path, 'out.zarr/s/c')))
        process.kill(pid, 'SIGKILL')
      },
    })
    assert.equal(killed.code, 'SIGKILL')
    const left = await objectsOf(cluster, 'jobs,secrets')
    assert.equal(left.length, 2, left.join())
    const { code, stderr } = await bellis(args, { cwd: folder.path, env })
    assert.equal(code, 0, stderr)
    assert.equal(await hashVoxels(join(folder.path, 'out.zarr/s')), SMOOTHED)
    await nothingLeft(cluster)
  })
})
