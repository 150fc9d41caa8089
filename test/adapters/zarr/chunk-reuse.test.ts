import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { zarrFormat } from '../../../src/adapters/zarr/zarr-format.ts'
import { roi } from '../../../src/core/geometry/roi.ts'
import { temporaryFolder } from '../../support/command-line.ts'

const part = roi<'voxel'>([1, 1], [2, 2])
const whole = roi<'voxel'>([0, 0], [4, 4])

describe('reading a part of a chunk again', () => {
  it('sees what another writer has written or removed meanwhile', async () => {
    using folder = temporaryFolder()
    const container = join(folder.path, 'a.zarr')
    const format = zarrFormat()
    const options = { shape: [4, 4], chunkShape: [4, 4], dtype: 'uint8', codec: 'zstd:1', fillValue: 7 } as const
    await using writer = await format.create(container, 'a', options)
    await using reader = await format.open(container, 'a')
    const into = new Uint8Array(4)
    const values: number[] = []
    const readPart = async () => {
      await reader.readVoxels(part, into)
      values.push(...new Set(into))
    }
    await readPart()
    for (let value = 10; value < 60; value++) {
      await writer.writeVoxels(whole, new Uint8Array(16).fill(value))
      await readPart()
      await readPart()
    }
    rmSync(join(container, 'a', 'c'), { recursive: true })
    await readPart()
    const expected = Array.from({ length: 50 }, (_, i) => [i + 10, i + 10]).flat()
    assert.deepEqual(values, [7, ...expected, 7])
  })
})
