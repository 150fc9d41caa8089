import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createArray, defineTask, openArray, roi, runBlockwise, z } from 'bellis'
import { bellis, hashVoxels, temporaryFolder } from '../support/command-line.ts'
import { SMOOTHED, sampleForAll } from '../support/smoothed-sample.ts'

const raw = sampleForAll()
/** 4 × 4 × 4 blocks of 8 × 48 × 48 voxels of 40 × 4 × 4 nm. */
const BLOCK = ['--sigma', '2', '--block-write', '8,48,48', '--workers', '2']

/** A mask of coarse voxels, 2 × 2 × 2 of them, of which only the last one is set: the last 2 × 2 × 2 blocks. */
async function makeMask(path: string): Promise<void> {
  await using mask = await createArray(path, {
    shape: [2, 2, 2],
    dtype: 'uint8',
    chunkShape: [1, 2, 2],
    voxelSize: [640, 384, 384],
  })
  await mask.write(roi([640, 384, 384], [640, 384, 384]), Uint8Array.of(1))
}

describe('a run with a mask', () => {
  it('does the blocks that write inside it, leaves the others, says so, and does these later without the mask', async () => {
    using folder = temporaryFolder()
    const cwd = folder.path
    await makeMask(join(cwd, 'mask.zarr/inside'))
    const call = async (...args: string[]) => {
      const { code, stdout, stderr } = await bellis(args, { cwd })
      assert.equal(code, 0, stderr)
      return stdout
    }
    const smooth = ['smooth', raw, 'out.zarr/s', ...BLOCK]
    assert.match(await call(...smooth, '--mask', 'mask.zarr/inside', '--dry-run'), /outside the mask +56 of them/)
    const masked = JSON.parse(await call(...smooth, '--mask', 'mask.zarr/inside', '--json'))
    const [{ total, completed, skipped, masked: outside }] = masked.tasks
    assert.deepEqual([masked.ok, total, completed, skipped, outside], [true, 64, 64, 56, 56])
    await using output = await openArray(join(cwd, 'out.zarr/s'))
    const inside = await output.read(roi([640, 384, 384], [640, 384, 384]))
    assert.ok(inside.data.every((value) => value > 0))
    const beside = await output.read(roi([0, 0, 0], [640, 768, 768]))
    assert.ok(beside.data.every((value) => Number(value) === 0))

    assert.match(await call('status', 'last'), /done[\s\S]*64 of 64 blocks \(100 %\), 56 of them outside the mask/)
    const [state] = JSON.parse(await call('runs', '--json'))
    assert.deepEqual([state.condition, state.tasks[0].masked, state.tasks[0].left], ['done', 56, 0])
    assert.match(
      await call(...smooth, '--mask', 'mask.zarr/inside'),
      /Nothing left to do: .*or outside the mask \(56\)/,
    )

    const all = JSON.parse(await call(...smooth, '--json'))
    assert.deepEqual([all.tasks[0].completed, all.tasks[0].skipped, all.tasks[0].masked], [64, 8, undefined])
    assert.equal(await hashVoxels(join(cwd, 'out.zarr/s')), SMOOTHED)
  })

  it('is refused if the mask has other axes than the blocks', async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'flat.zarr/mask')
    await using _ = await createArray(path, { shape: [4, 4], dtype: 'uint8', chunkShape: [4, 4], voxelSize: [4, 4] })
    const { code, stderr } = await bellis(['smooth', raw, 'out.zarr/s', ...BLOCK, '--mask', path], { cwd: folder.path })
    assert.equal(code, 2)
    assert.match(
      stderr,
      /its mask .*flat\.zarr\/mask has 2 axes, its blocks have 3; use a mask with the axes of the blocks/,
    )
  })

  it('can have the mask in the plan of a task, which takes precedence', async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'mask.zarr/inside')
    await makeMask(path)
    const seen: number[] = []
    const task = defineTask({
      name: 'see',
      config: z.object({}),
      plan: async (_, { arrays }) => ({
        totalRoi: roi([0, 0, 0], [1280, 768, 768]),
        readRoi: roi([0, 0, 0], [320, 384, 768]),
        writeRoi: roi([0, 0, 0], [320, 384, 768]),
        readWriteConflict: false,
        mask: await arrays.open(path),
      }),
      setup: () => (block) => {
        seen.push(block.index)
      },
    })
    const result = await runBlockwise(task({}), {
      pool: 'inline',
      progress: 'none',
      mask: join(folder.path, 'none.zarr/a'),
    })
    assert.deepEqual(
      seen.toSorted((a, b) => a - b),
      [5, 7],
    )
    assert.deepEqual([result.ok, result.tasks[0]?.masked], [true, 6])
  })

  it('numbers the components of label inside it', async () => {
    using folder = temporaryFolder()
    const cwd = folder.path
    await makeMask(join(cwd, 'mask.zarr/inside'))
    const args = ['label', raw, 'labels.zarr/l', '--workers', '2', '--block', '8,48,48', '--mask', 'mask.zarr/inside']
    const { code, stderr } = await bellis(args, { cwd })
    assert.equal(code, 0, stderr)
    await using output = await openArray(join(cwd, 'labels.zarr/l'))
    const beside = await output.read(roi([0, 0, 0], [640, 768, 768]))
    assert.ok(beside.data.every((value) => Number(value) === 0))
    const inside = await output.read(roi([640, 384, 384], [640, 384, 384]))
    assert.ok(inside.data.some((value) => Number(value) > 0))
  })
})
