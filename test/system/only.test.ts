import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { defineTask, openArray, type RunOptions, roi, runBlockwise, z } from 'bellis'
import { smooth } from 'bellis/tasks'
import { bellis, hashVoxels, temporaryFolder } from '../support/command-line.ts'
import { SMOOTHED, sampleForAll } from '../support/smoothed-sample.ts'

const raw = sampleForAll()
/** 4 × 4 × 4 blocks of 8 × 48 × 48 voxels of 40 × 4 × 4 nm. */
const SMOOTH = ['smooth', raw, 'out.zarr/s', '--sigma', '2', '--block-write', '8,48,48', '--workers', '2']

// SHA-256 of the result of SciPy's gaussian_filter(sigma=2, mode='constant'), applied twice to the same sample.
const TWICE = 'ffd3bcb23791a0240de63acc589d89631c48de8d1af0982cb515a41a13893525'

/** Two tasks of eight blocks, of which the second waits for three blocks of the first; both report what they do. */
function chain(seen: string[], fails: (block: string) => boolean) {
  const step = (name: string, context: number) =>
    defineTask({
      name,
      config: z.object({}),
      plan: () => ({
        totalRoi: roi([-context], [8 + 2 * context]),
        readRoi: roi([-context], [1 + 2 * context]),
        writeRoi: roi([0], [1]),
        readWriteConflict: false,
      }),
      setup: () => (block) => {
        seen.push(`${name}/${block.index}`)
        if (fails(`${name}/${block.index}`)) throw new Error('no luck')
      },
    })
  const first = step('first', 0)({})
  return step('second', 1)({}, { after: [first] })
}

describe('a run of only some blocks', () => {
  it('does those of a region, of a file, or that failed, shows the others apart, and is continued without the choice', async () => {
    using folder = temporaryFolder()
    const cwd = folder.path
    const call = async (...args: string[]) => {
      const { code, stdout, stderr } = await bellis(args, { cwd })
      assert.equal(code, 0, stderr)
      return stdout
    }
    const counts = async (...args: string[]) => {
      const { ok, tasks } = JSON.parse(await call(...SMOOTH, ...args, '--json'))
      const [{ completed, skipped, pending, leftOut }] = tasks
      return { ok, completed, skipped, pending, leftOut }
    }
    const region = ['--only', '0:8,0:48,0:49']
    assert.match(await call(...SMOOTH, ...region, '--dry-run'), /left out +62 of them/)
    assert.deepEqual(await counts(...region), { ok: true, completed: 2, skipped: 0, pending: 0, leftOut: 62 })
    await using output = await openArray(join(cwd, 'out.zarr/s'))
    const voxels = await output.read(roi([0, 0, 0], [320, 192, 768]))
    const written = Array.from(voxels.data, Number).map((value) => value > 0)
    assert.deepEqual([written.slice(0, 96).every(Boolean), written.slice(96, 192).some(Boolean)], [true, false])

    writeFileSync(join(cwd, 'blocks.txt'), '1 # done already\nsmooth/62\n1240,0,0:40,4,4\n')
    assert.deepEqual(await counts('--only', 'blocks.txt'), {
      ...{ ok: true, completed: 4, skipped: 2, pending: 0, leftOut: 60 },
    })
    assert.match(
      await call(...SMOOTH, '--only', 'failed'),
      /Nothing to do: no block that was chosen is left; 60 others/,
    )
    assert.match(
      await call('status', 'last'),
      /stopped[\s\S]*4 of 64 blocks \(6.2 %\), 60 left, 60 left out by the last/,
    )
    const [state] = JSON.parse(await call('runs', '--json'))
    assert.deepEqual([state.condition, state.tasks[0].leftOut, state.tasks[0].left], ['stopped', 60, 60])
    assert.doesNotMatch(state.continueWith, /--only/)
    assert.match(await call('resume', 'last'), /"completed": 64,\s+"skipped": 4,/)
    assert.equal(await hashVoxels(join(cwd, 'out.zarr/s')), SMOOTHED)
  })

  it('tries failed blocks again without what waits for them, and does what chosen blocks wait for', async () => {
    using folder = temporaryFolder()
    const run = async (options: RunOptions, fails: (block: string) => boolean = () => false) => {
      const seen: string[] = []
      const setting = { pool: 'inline', workers: 1, progress: 'sqlite', runDir: folder.path, maxRetries: 0 } as const
      const result = await runBlockwise(chain(seen, fails), { ...setting, ...options })
      return { seen: seen.sort(), ok: result.ok, out: result.tasks.map(({ leftOut }) => leftOut) }
    }
    const upTo = (name: string, blocks: readonly number[]) => blocks.map((index) => `${name}/${index}`)
    assert.deepEqual(await run({ only: '2:1' }), {
      seen: [...upTo('first', [1, 2, 3]), 'second/2'],
      ...{ ok: true, out: [5, 7] },
    })
    const broken = await run({}, (block) => block === 'first/6')
    assert.deepEqual(broken.seen, [...upTo('first', [0, 4, 5, 6, 7]), ...upTo('second', [0, 1, 3, 4])])
    assert.deepEqual(await run({ only: 'failed' }), { seen: ['first/6'], ok: true, out: [0, 3] })
    // Nothing has failed by now, and the rest is done without the choice.
    assert.deepEqual((await run({ only: 'FAILED' })).seen, [])
    assert.deepEqual((await run({})).seen, upTo('second', [5, 6, 7]))
  })

  it('keeps the failures of blocks that it leaves out', async () => {
    using folder = temporaryFolder()
    const setting = { pool: 'inline', workers: 1, progress: 'sqlite', runDir: folder.path, maxRetries: 0 } as const
    await runBlockwise(
      chain([], (block) => block === 'first/0' || block === 'first/6'),
      setting,
    )
    await runBlockwise(
      chain([], () => false),
      { ...setting, only: '6:1' },
    )
    const { stdout } = await bellis(['status', 'last', '--run-dir', folder.path, '--json'], { cwd: folder.path })
    const { failures, tasks } = JSON.parse(stdout)
    assert.deepEqual(
      failures.map(({ block }: { block: string }) => block),
      ['first/0'],
    )
    assert.deepEqual(tasks[0].failed, 1)
  })

  it('keeps transient chunks that blocks that are left out will need', async () => {
    using folder = temporaryFolder()
    const cwd = folder.path
    const tasks = () => {
      const how = { sigma: 2, blockWrite: [8, 48, 48] }
      const once = smooth({ input: raw, output: join(cwd, 'out.zarr/once'), ...how }, { id: 'once', transient: true })
      return smooth(
        { input: join(cwd, 'out.zarr/once'), output: join(cwd, 'out.zarr/twice'), ...how },
        { after: [once] },
      )
    }
    const run = (options: RunOptions) => runBlockwise(tasks(), { pool: 'inline', runDir: folder.path, ...options })
    assert.equal((await run({ only: '0:8,0:48,0:48' })).ok, true)
    assert.equal((await run({ only: '16:24,:,:' })).ok, true)
    assert.equal((await run({})).ok, true)
    assert.equal(await hashVoxels(join(cwd, 'out.zarr/twice')), TWICE)
    await using once = await openArray(join(cwd, 'out.zarr/once'))
    assert.equal((await once.countStoredChunks?.())?.stored, 0)
  })

  it('is refused if the choice can not be understood', async () => {
    using folder = temporaryFolder()
    const cwd = folder.path
    writeFileSync(join(cwd, 'blocks.txt'), '3\n64\n')
    writeFileSync(join(cwd, 'tasks.txt'), 'blur/3\n')
    const cases: [string[], RegExp][] = [
      [['--only', 'faild'], /Only faild: expected "failed", a region .* or a file that lists blocks/],
      [['--only', 'blocks.txt'], /blocks\.txt, line 2: task "smooth" has no block 64; its blocks are 0 to 63/],
      [
        ['--only', 'tasks.txt'],
        /tasks\.txt, line 1: the run has no task "blur"; write task\/index, with one of smooth/,
      ],
      [
        ['--only', '9000,0,0:40,4,4'],
        /no block writes in the region 9000,0,0:40,4,4; the blocks of the run write in 0,0,0:\S+ nm\./,
      ],
      [['--only', 'failed', '--overwrite', '--yes'], /expected without overwrite, which forgets all blocks/],
    ]
    for (const [args, message] of cases) {
      const { code, stderr } = await bellis([...SMOOTH, ...args], { cwd })
      assert.deepEqual([code, stderr.match(message) !== null], [2, true], stderr)
    }
  })
})
