import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  type CreateVolumeOptions,
  createArray,
  intersectRoi,
  isEmptyRoi,
  openArray,
  roi,
  runBlockwise,
  type TaskNode,
} from '../../src/entry/index.ts'
import { downsampleVoxels } from '../../src/entry/kernels.ts'
import { downsample, map } from '../../src/entry/tasks.ts'
import { forEachAtOnce } from '../../src/tasks/at-once.ts'
import { partsOf } from '../../src/tasks/block-shapes.ts'
import { temporaryFolder } from '../support/command-line.ts'
import { seededVoxels } from '../support/seeded-voxels.ts'

const count = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1)

/** Chunks of 32³ are large enough to be worked on one by one, and those at the edges are not whole. */
const large = { shape: [40, 70, 97], chunkShape: [32, 32, 32], voxelSize: [40, 4, 4], offset: [400, -8, 12] }

async function noise(path: string, options: Partial<CreateVolumeOptions> = {}) {
  const settings = { dtype: 'uint8', ...large, ...options } as const
  await using array = await createArray(path, settings)
  const data = seededVoxels(settings.dtype, count(settings.shape), 7)
  await array.write(array.roi, data)
  return { data, shape: settings.shape }
}

async function run(task: TaskNode): Promise<void> {
  assert.ok((await runBlockwise([task], { pool: 'inline', progress: 'none' })).ok)
}

async function voxelsOf(path: string) {
  await using array = await openArray(path)
  return (await array.read(array.roi)).data
}

describe('blocks that are done chunk by chunk', () => {
  it('downsample to the same voxels as the whole volume', async () => {
    using folder = temporaryFolder()
    const path = (name: string) => join(folder.path, 'a.zarr', name)
    const channels = { shape: [2, ...large.shape], chunkShape: [1, ...large.chunkShape] }
    for (const [name, options] of [
      ['plain', {}],
      ['words', { dtype: 'uint16' }],
      ['channels', channels],
      ['shards', { shardShape: [32, 64, 64] }],
    ] as const) {
      const volume = await noise(path(name), options)
      // A chunk has whole cells of the first two.
      for (const factor of [
        [2, 2, 2],
        [1, 4, 2],
        [3, 2, 2],
      ] as const) {
        for (const method of name === 'plain' ? (['mean', 'mode', 'stride'] as const) : (['mean'] as const)) {
          const output = path(`${name}-${factor.join('')}-${method}`)
          await run(downsample({ input: path(name), output, factor: [...factor], method }))
          const expected = downsampleVoxels(volume, { factor, method })
          assert.deepEqual(await voxelsOf(output), expected.data, output)
        }
      }
    }
  })

  it('map to the same voxels, whatever chunks the inputs have', async () => {
    using folder = temporaryFolder()
    const path = (name: string) => join(folder.path, 'a.zarr', name)
    const { data } = await noise(path('x'))
    const others = { same: {}, larger: { chunkShape: [40, 48, 64] }, sharded: { shardShape: [64, 64, 64] } }
    for (const [name, options] of Object.entries(others)) {
      const other = await noise(path(name), { dtype: 'uint16', ...options })
      const output = path(`sum-${name}`)
      await run(map({ input: path('x'), output, expr: 'x + y', with: { y: path(name) }, dtype: 'uint32' }))
      const sums = Uint32Array.from(data as Uint8Array, (value, i) => value + (other.data[i] as number))
      assert.deepEqual(await voxelsOf(output), sums, name)
    }
  })
})

describe('the parts of a region', () => {
  it('tile it, and lie in one chunk each', async () => {
    using folder = temporaryFolder()
    await noise(join(folder.path, 'a.zarr', 'raw'))
    await using volume = await openArray(join(folder.path, 'a.zarr', 'raw'))
    const lengths = volume.voxelSize.map((size) => size * 32)
    const anyRegion = fc
      .tuple(...large.shape.map((length) => fc.tuple(fc.nat(length - 1), fc.nat(length - 1))))
      .map((ends) => {
        const start = ends.map(
          ([a, b], axis) => (volume.offset[axis] as number) + Math.min(a, b) * (volume.voxelSize[axis] as number),
        )
        return roi(
          start,
          ends.map(([a, b], axis) => (Math.abs(a - b) + 1) * (volume.voxelSize[axis] as number)),
        )
      })
    fc.assert(
      fc.property(anyRegion, (region) => {
        const parts = partsOf(volume, region, [2, 2, 2])
        assert.equal(
          parts.reduce((sum, { shape }) => sum + count(shape), 0),
          count(region.shape),
        )
        parts.forEach((part, i) => {
          assert.deepEqual(intersectRoi(part, region), part)
          for (const other of parts.slice(i + 1)) assert.ok(isEmptyRoi(intersectRoi(part, other)))
          part.offset.forEach((start, axis) => {
            const [length, origin] = [lengths[axis] as number, volume.offset[axis] as number]
            const last = start + (part.shape[axis] as number) - 1
            assert.equal(Math.floor((start - origin) / length), Math.floor((last - origin) / length))
          })
        })
      }),
    )
  })

  it('are the region alone if chunks are small, share files, or have no whole number of steps', async () => {
    using folder = temporaryFolder()
    const partsWith = async (name: string, options: Partial<CreateVolumeOptions>, step: number[]) => {
      await noise(join(folder.path, 'a.zarr', name), options)
      await using volume = await openArray(join(folder.path, 'a.zarr', name))
      return partsOf(volume, volume.roi, step).length
    }
    assert.equal(await partsWith('whole', {}, [2, 2, 2]), 2 * 3 * 4)
    assert.equal(await partsWith('steps', {}, [2, 3, 2]), 1)
    assert.equal(await partsWith('small', { chunkShape: [32, 32, 31] }, []), 1)
    assert.equal(await partsWith('shards', { shardShape: [64, 64, 64] }, []), 1)
  })
})

describe('work on parts at once', () => {
  it('ends after an error only when nothing is running any more, and starts nothing then', async () => {
    const started: number[] = []
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    let ended = false
    const work = forEachAtOnce(
      Array.from({ length: 20 }, (_, part) => part),
      async (part) => {
        started.push(part)
        if (part === 3) throw new Error('part 3')
        await held
      },
    ).finally(() => {
      ended = true
    })
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(ended, false)
    release()
    await assert.rejects(work, /part 3/)
    assert.ok(started.length <= 8, `${started.length} started`)
  })
})
