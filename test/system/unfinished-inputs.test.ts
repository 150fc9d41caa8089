import assert from 'node:assert/strict'
import { realpathSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createArray } from 'bellis'
import { bellis, temporaryFolder } from '../support/command-line.ts'
import { until } from '../support/processes.ts'
import { runsIn } from '../support/recorded-runs.ts'

const folder = temporaryFolder()
after(() => folder[Symbol.dispose]())
const cwd = realpathSync(folder.path)
const call = async (args: readonly string[], code = 0) => {
  const done = await bellis(args, { cwd })
  assert.equal(done.code, code, `${args.join(' ')}: ${done.stderr}`)
  return done
}
const inline = ['--pool', 'inline', '--workers', '1']
const smooth = ['smooth', 'raw.zarr/raw', 'out.zarr/smoothed', '--sigma', '1', '--block-write', '16,32,32', ...inline]
const threshold = (output: string, ...more: string[]) =>
  call(['threshold', 'out.zarr/smoothed', output, '--above', '3', ...inline, ...more])

/** A chain whose second task fails at first. */
const CHAIN = `import { existsSync } from 'node:fs'
import { definePipeline, defineTask, roi, z } from 'bellis'
import { smooth } from 'bellis/tasks'
export const check = defineTask({
  name: 'check', config: z.object({}),
  async plan(_, { arrays }) {
    const input = await arrays.open('chain.zarr/smoothed')
    return { totalRoi: input.roi, readRoi: input.roi, writeRoi: input.roi, readWriteConflict: false }
  },
  setup: () => () => { if (!existsSync('mended')) throw new Error('not yet') },
})
export default definePipeline({
  name: 'chain', config: z.object({}),
  tasks() {
    const first = smooth({ input: 'raw.zarr/raw', output: 'chain.zarr/smoothed', sigma: 1, blockWrite: [16, 32, 32] })
    return [first, check({}, { after: [first] })]
  },
})`

before(async () => {
  await using raw = await createArray(join(cwd, 'raw.zarr/raw'), {
    ...{ shape: [16, 64, 64], chunkShape: [16, 32, 32], dtype: 'uint8', voxelSize: [40, 4, 4] },
  })
  await raw.write(raw.roi, new Uint8Array(16 * 64 * 64).fill(7))
  await call([...smooth, '--only', '0,0,0:640,128,256'])
})

describe('an input that its run has not finished', () => {
  const said = () =>
    new RegExp(
      `out\\.zarr/smoothed is not complete: the run ${runsIn(cwd).find((run) => run.startsWith('smooth-'))}, which writes it, was stopped and has done 2 of 4 blocks; blocks that it has not written read as 0, the fill value\\. To complete it first: bellis resume \\S*/smooth-\\S+$`,
      'gm',
    )

  it('is named once, with its run, what is done, what that means and how to complete it', async () => {
    for (const more of [[], ['--dry-run']]) {
      const { stderr } = await threshold('out.zarr/early', ...more)
      assert.equal(stderr.match(said())?.length, 1, stderr)
      assert.match(stderr, /^warning: /m)
    }
    const shown = JSON.parse((await call(['info', 'out.zarr/smoothed', '--json'])).stdout)
    assert.match(shown.unfinished, said())
    assert.match((await call(['info', 'out.zarr/smoothed'])).stdout, /^ {2}unfinished +\S*out\.zarr\/smoothed is not/m)
    const page = bellis(['show', 'out.zarr/smoothed', '--no-open'], {
      cwd,
      meanwhile: async (command) => {
        await until('the page is served', () => command.output.stdout.includes('Ctrl-C'))
        process.kill(command.pid, 'SIGINT')
      },
    })
    assert.match((await page).stderr, said())
  })

  it('is named as a mask as well, with what that means there', async () => {
    const { stderr } = await call(['reduce', 'raw.zarr/raw', '--mask', 'out.zarr/smoothed', ...inline])
    assert.match(
      stderr,
      /The mask \S*out\.zarr\/smoothed is not complete: .* 2 of 4 blocks; blocks that it has not written are outside of the mask, and are not run\. To complete it first: bellis resume /,
    )
  })

  it('is not named any more once it is complete', async () => {
    await call(['resume', runsIn(cwd).find((run) => run.startsWith('smooth-')) as string])
    assert.doesNotMatch((await threshold('out.zarr/late')).stderr, /not complete/)
    assert.equal(JSON.parse((await call(['info', 'out.zarr/smoothed', '--json'])).stdout).unfinished, null)
  })
})

it('a chain does not warn of its own arrays', async () => {
  writeFileSync(join(cwd, 'chain.ts'), CHAIN)
  const run = ['run', 'chain.ts', '--workers', '1', '--max-retries', '0']
  writeFileSync(join(cwd, 'first.txt'), 'smooth/0\n')
  await call([...run, '--only', 'first.txt'])
  assert.match(JSON.parse((await call(['info', 'chain.zarr/smoothed', '--json'])).stdout).unfinished, / 1 of 4 blocks/)
  assert.doesNotMatch((await call(run, 1)).stderr, /not complete/)
  writeFileSync(join(cwd, 'mended'), '')
  assert.doesNotMatch((await call(run)).stderr, /not complete/)
})
