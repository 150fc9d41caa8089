import assert from 'node:assert/strict'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { bellis, temporaryFolder } from '../support/command-line.ts'

/** A chain of three tasks of 20 blocks, the later two with a context of one block, and an independent task. `bug` runs in the first. */
const moduleWith = (bug: string) => `
import { definePipeline, defineTask, roi, z } from 'bellis'
const plan = (context) => () => ({
  totalRoi: roi([-context], [20 + 2 * context]), readRoi: roi([-context], [1 + 2 * context]), writeRoi: roi([0], [1]), readWriteConflict: false,
})
export const first = defineTask({
  name: 'first', config: z.object({}), plan: plan(0),
  setup: () => (block) => { ${bug} },
})
export const second = defineTask({ name: 'second', config: z.object({}), plan: plan(1), setup: () => () => {} })
export const third = defineTask({ name: 'third', config: z.object({}), plan: plan(1), setup: () => () => {} })
export const beside = defineTask({ name: 'beside', config: z.object({}), plan: plan(0), setup: () => () => {} })
export default definePipeline({
  config: z.object({}),
  tasks() {
    const one = first({})
    const two = second({}, { after: [one] })
    return [third({}, { after: [two] }), beside({})]
  },
})`

interface Counted {
  readonly id: string
  readonly completed: number
  readonly skipped: number
  readonly failed: number
  readonly orphaned: number
  readonly failures: readonly { readonly block: string }[]
}

describe('a block of a chain that fails', () => {
  it('a failed block orphans exactly the blocks that depend on it, and after the bug is fixed the same command does only the rest', async () => {
    using folder = temporaryFolder()
    const { path: cwd } = folder
    const file = join(cwd, 'chain.ts')
    const run = async (...more: string[]) => {
      const result = await bellis(['run', 'chain.ts', '--workers', '2', '--max-retries', '1', ...more], { cwd })
      const tasks: Counted[] = more.includes('--json') ? JSON.parse(result.stdout).tasks : []
      return { ...result, counts: Object.fromEntries(tasks.map((task) => [task.id, task])) }
    }
    writeFileSync(file, moduleWith("if (block.index === 7) throw new Error('no such neuron')"))
    const failed = await run('--json', '--quiet')
    assert.equal(failed.code, 1, failed.stderr)
    const of = (id: string) => {
      const { completed, skipped, failed: bad, orphaned } = failed.counts[id] as Counted
      return [completed, skipped, bad, orphaned]
    }
    // Blocks 6 to 8 of the second task read what block 7 of the first writes, and blocks 5 to 9 of the third read what these write.
    assert.deepEqual(['first', 'second', 'third', 'beside'].map(of), [
      [19, 0, 1, 0],
      [17, 0, 0, 3],
      [15, 0, 0, 5],
      [20, 0, 0, 0],
    ])
    assert.deepEqual(
      failed.counts.first?.failures.map(({ block }) => block),
      ['first/7'],
    )
    const again = await run()
    assert.equal(again.code, 1)
    assert.match(again.stdout, /✘ second: 17 of 20 blocks, 17 of them already done, 3 orphaned/)
    assert.match(again.stderr, /first\/7.*\n?.*no such neuron/)
    // Failed blocks are known until they are reset; done blocks stay done.
    const [name = ''] = readdirSync(join(cwd, '.bellis'))
    const failedBlocks = async () => {
      const { stdout, stderr } = await bellis(['status', name, '--json'], { cwd })
      return JSON.parse(stdout || stderr).tasks.map(({ failed }: Counted) => failed)
    }
    assert.deepEqual(await failedBlocks(), [1, 0, 0, 0])
    const said = await bellis(['reset', name, '--failed'], { cwd })
    assert.equal(
      said.stdout,
      'first: forgot 1 failed block\nbeside: nothing to forget\nsecond: nothing to forget\nthird: nothing to forget\n',
    )
    const forgotten = await bellis(['reset', name, '--failed', '--json'], { cwd })
    const blocks = JSON.parse(forgotten.stdout || forgotten.stderr).map((task: { blocks: number }) => task.blocks)
    assert.deepEqual([forgotten.code, blocks], [0, [0, 0, 0, 0]])
    assert.deepEqual(await failedBlocks(), [0, 0, 0, 0])
    writeFileSync(file, moduleWith(''))
    const mended = await run('--json', '--quiet')
    assert.equal(mended.code, 0, mended.stderr)
    assert.deepEqual(
      ['first', 'second', 'third', 'beside'].map((id) => mended.counts[id]?.skipped),
      [19, 17, 15, 20],
    )
    assert.equal(readdirSync(join(cwd, '.bellis')).length, 1)
  })
})
