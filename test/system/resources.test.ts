import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { RunEvent } from '../../src/runtime/run-events.ts'
import { bellis, temporaryFolder } from '../support/command-line.ts'

/** A task that waits a little at every block, and one of which a worker needs a GPU, in a chain. */
const MODULE = `
import { setTimeout } from 'node:timers/promises'
import { definePipeline, defineTask, roi, z } from 'bellis'
const plan = () => ({ totalRoi: roi([0], [40]), readRoi: roi([0], [1]), writeRoi: roi([0], [1]), readWriteConflict: false })
const setup = () => async () => { await setTimeout(5) }
export const cut = defineTask({ name: 'cut', config: z.object({}), plan, setup })
export const infer = defineTask({ name: 'infer', config: z.object({}), plan, setup, requires: { gpu: 1 } })
export default definePipeline({ config: z.object({}), tasks: () => infer({}, { after: [cut({})] }) })`

describe('a run with a budget of resources', () => {
  it('has at most as many worker processes at a task as there are GPUs for, and the others at other tasks', async () => {
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

  it('is refused before anything is written when not one worker of a task fits', async () => {
    using folder = temporaryFolder()
    writeFileSync(join(folder.path, 'chain.ts'), MODULE)
    for (const more of [[], ['--pool', 'none', '--resources', 'gpu=0.5'], ['--dry-run']]) {
      const { code, stderr } = await bellis(['run', 'chain.ts', ...more], { cwd: folder.path })
      assert.equal(code, 2)
      assert.match(
        stderr,
        /^bellis: a worker of "infer" needs gpu 1, and the run has 0(\.5)?: give the run enough \(--resources gpu=1\)/,
      )
    }
    assert.deepEqual(readdirSync(folder.path), ['chain.ts'])
    const { code, stderr } = await bellis(['run', 'chain.ts', '--resources', 'gpu'], { cwd: folder.path })
    assert.equal(code, 2)
    assert.match(stderr, /names with amounts, with commas, such as cpu=32,gpu=8/)
  })
})
