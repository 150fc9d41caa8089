import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { MARK_FILE } from '../../../src/adapters/zarr/write-guard.ts'
import { zarrFormat } from '../../../src/adapters/zarr/zarr-format.ts'
import { temporaryFolder } from '../../support/command-line.ts'
import { contentsOf } from '../../support/folders.ts'

describe('an array that is opened for a run', () => {
  it('R5: is written only while it is marked as that of the run, and by blocks that their workers still have', async () => {
    using folder = temporaryFolder()
    const container = join(folder.path, 'c.zarr')
    const mark = (id: string) => writeFileSync(join(container, 'a', MARK_FILE), JSON.stringify({ id }))
    const format = zarrFormat()
    await format.create(container, 'a', { shape: [4], dtype: 'uint8', chunkShape: [1] })
    mark('ours')
    await using array = await format.open(container, 'a', { mode: 'r+', owner: 'ours' })
    const write = (at: number) => array.writeVoxels({ offset: [at], shape: [1] }, Uint8Array.of(7))
    await write(0)
    await write(1)
    mark('that of others')
    const before = contentsOf(container)
    await assert.rejects(write(1), { code: 'RUN_LOCKED', message: /taken by another run/ })
    await assert.rejects(write(2), { code: 'RUN_LOCKED' })
    assert.deepEqual(contentsOf(container), before)
    mark('ours')
    await write(2)
    let lease: number | undefined
    await using ofBlocks = await format.open(container, 'a', { mode: 'r+', owner: 'ours', lease: () => lease })
    const writeFor = (number: number | undefined) => {
      lease = number
      return ofBlocks.writeVoxels({ offset: [2], shape: [1] }, Uint8Array.of(8))
    }
    const allow = (leases: unknown) =>
      writeFileSync(join(container, 'a', MARK_FILE), JSON.stringify({ id: 'ours', leases }))
    await writeFor(5)
    allow({ from: 10, held: [7, 9] })
    const present = contentsOf(container)
    for (const late of [5, 8]) {
      await assert.rejects(writeFor(late), {
        code: 'RUN_LOCKED',
        message: /taken from its worker.*writes nothing more/,
      })
    }
    assert.deepEqual(contentsOf(container), present)
    for (const valid of [7, 9, 10, 11, undefined]) await writeFor(valid)
    allow({ from: 11, held: [9] })
    await assert.rejects(writeFor(10), { code: 'RUN_LOCKED' })
    // What can't be understood says nothing.
    for (const unclear of [{ from: '11', held: [] }, { from: 11 }, [], null, { from: 11, held: ['a'] }]) {
      allow(unclear)
      await writeFor(10)
    }
    rmSync(join(container, 'a'), { recursive: true })
    await assert.rejects(write(3), { code: 'RUN_LOCKED' })
    assert.equal(contentsOf(container).length, 1)
  })
})
