import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { RunEvent } from '../../src/core/events.ts'
import { bellis, temporaryFolder } from '../support/command-line.ts'

/** A chain of a task whose blocks wait a little and a task whose workers need a GPU. */
const MODULE = `
import { setTimeout } from 'node:timers/promises'
import { definePipeline, defineTask, roi, z } from 'bellis'
const plan = () => ({ totalRoi: roi([0], [40]), readRoi: roi([0], [1]), writeRoi: roi([0], [1]), readWriteConflict: false })
const setup = () => async () => { await setTimeout(5) }
export const cut = defineTask({ name: 'cut', config: z.object({}), plan, setup })
export const infer = defineTask({ name: 'infer', config: z.object({}), plan, setup, requires: { gpu: 1 } })
export default definePipeline({ config: z.object({}), tasks: () => infer({}, { after: [cut({})] }) })`

/** A task that records what each setup is given, in at least two workers: no block ends before both have started. */
const DEVICES = `
import { execFileSync } from 'node:child_process'
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { defineTask, roi, z } from 'bellis'
const print = 'process.stdout.write(String(process.env.CUDA_VISIBLE_DEVICES))'
export default defineTask({
  name: 'devices',
  config: z.object({ folder: z.string(), dies: z.boolean().default(false) }),
  requires: { gpu: 2, camera: 1 },
  plan: () => ({ totalRoi: roi([0], [8]), readRoi: roi([0], [1]), writeRoi: roi([0], [1]), readWriteConflict: false }),
  setup({ folder, dies }, { resources }) {
    const own = process.env.CUDA_VISIBLE_DEVICES
    const { camera, gpu } = resources
    const program = own === undefined ? own : execFileSync(process.execPath, ['-e', print], { encoding: 'utf8' })
    appendFileSync(folder + '/set-ups', JSON.stringify({ resources: { camera, gpu }, program, own }) + '\\n')
    const setUps = async (count) => {
      while (readFileSync(folder + '/set-ups', 'utf8').trim().split('\\n').length < count) await setTimeout(5)
    }
    return async () => {
      await setUps(2)
      if (dies && camera[0] === 0 && !existsSync(folder + '/died')) {
        writeFileSync(folder + '/died', '')
        process.kill(process.pid, 'SIGKILL')
      }
      if (dies) await setUps(3)
    }
  },
})`

describe('a run with a budget of resources', () => {
  it('a budget of GPUs limits the worker processes of a task, and the others do other tasks', async () => {
    using folder = temporaryFolder()
    writeFileSync(join(folder.path, 'chain.ts'), MODULE)
    const run = [
      'run',
      'chain.ts',
      '--workers',
      '4',
      '--resources',
      'cpu=4,gpu=2',
      '--events',
      'events.jsonl',
      '--quiet',
    ]
    const { code, stderr } = await bellis(run, { cwd: folder.path })
    assert.equal(code, 0, stderr)
    const held = new Map<string, number>()
    let most = 0
    for (const line of readFileSync(join(folder.path, 'events.jsonl'), 'utf8').trim().split('\n')) {
      const event = JSON.parse(line) as RunEvent
      if (!('indices' in event) || event.taskId !== 'infer') continue
      const change = event.type === 'blocks-leased' ? event.indices.length : -event.indices.length
      held.set(event.workerId, (held.get(event.workerId) ?? 0) + change)
      most = Math.max(most, [...held.values()].filter((count) => count > 0).length)
    }
    assert.equal(most, 2)
    assert.deepEqual([...held.values()], [0, 0], 'workers without a GPU had blocks of it')
  })

  it('a run is refused before anything is written if its budget does not fit a single worker of a task', async () => {
    using folder = temporaryFolder()
    writeFileSync(join(folder.path, 'chain.ts'), MODULE)
    for (const more of [[], ['--pool', 'none', '--resources', 'gpu=0.5'], ['--dry-run']]) {
      const { code, stderr } = await bellis(['run', 'chain.ts', ...more], { cwd: folder.path })
      assert.equal(code, 2)
      assert.match(
        stderr,
        /^bellis: a worker of "infer" needs gpu 1, and the run has 0(\.5)?: give the run more \(--resources gpu=1\)/,
      )
    }
    assert.deepEqual(readdirSync(folder.path), ['chain.ts'])
    const { code, stderr } = await bellis(['run', 'chain.ts', '--resources', 'gpu'], { cwd: folder.path })
    assert.equal(code, 2)
    assert.match(stderr, /expected comma-separated names with amounts, such as cpu=32,gpu=8/)
  })

  for (const pool of ['process', 'thread', 'inline']) {
    it(`each worker of the pool "${pool}" gets its own GPUs, and the variable that restricts CUDA to them`, async () => {
      using folder = temporaryFolder()
      writeFileSync(join(folder.path, 'devices.ts'), DEVICES)
      const devices = { CUDA_VISIBLE_DEVICES: 'GPU-a, GPU-b,GPU-c,GPU-d,GPU-e' }
      const run = ['run', 'devices.ts', '--folder', folder.path, '--pool', pool, '--workers', '2', '--quiet']
      const { code, stderr } = await bellis([...run, '--resources', 'cpu=2,gpu=5,camera=2'], {
        cwd: folder.path,
        env: devices,
      })
      assert.equal(code, 0, stderr)
      const setUps = readFileSync(join(folder.path, 'set-ups'), 'utf8').trim().split('\n')
      const names = ['GPU-a,GPU-b', 'GPU-c,GPU-d']
      // All of them are then in the process of the run, which has one environment, so they must use what the setup is given.
      const seen = names.map((name) => (pool === 'inline' ? devices.CUDA_VISIBLE_DEVICES : name))
      const expected = [
        { resources: { camera: [0], gpu: [0, 1] }, program: seen[0], own: seen[0] },
        { resources: { camera: [1], gpu: [2, 3] }, program: seen[1], own: seen[1] },
      ]
      assert.deepEqual(
        setUps.sort().map((line) => JSON.parse(line)),
        expected,
      )
    })
  }

  it('a new worker gets the resources of one that died', async () => {
    using folder = temporaryFolder()
    writeFileSync(join(folder.path, 'devices.ts'), DEVICES)
    const run = ['run', 'devices.ts', '--folder', folder.path, '--dies', '--workers', '2', '--quiet']
    const { code, stderr } = await bellis([...run, '--resources', 'cpu=2,gpu=4,camera=2'], { cwd: folder.path })
    assert.equal(code, 0, stderr)
    const setUps = readFileSync(join(folder.path, 'set-ups'), 'utf8').trim().split('\n')
    const cameras = setUps.map((line) => JSON.parse(line).resources.camera[0])
    assert.deepEqual([cameras.slice(0, 2).sort(), ...cameras.slice(2)], [[0, 1], 0])
  })
})
