// $ npm test
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { createArray, openArray, runBlockwise } from 'bellis'
import task from './task.ts'

it('finds the edges along z, even across the borders of blocks', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'my-task-'))
  try {
    // Dark up to section 64, where a block ends, and bright from there on.
    const shape = [100, 80, 70]
    const input = join(folder, 'in.zarr/raw')
    const raw = await createArray(input, { shape, dtype: 'uint8', chunkShape: [32, 32, 32], voxelSize: [40, 4, 4] })
    const section = 80 * 70
    await raw.write(
      raw.roi,
      Uint8Array.from({ length: 100 * section }, (_, i) => (i < 64 * section ? 50 : 100)),
    )
    // From Node 24 on, `await using raw = …` closes an array at the end of its block.
    await raw[Symbol.asyncDispose]()
    const output = join(folder, 'out.zarr/edges')
    const result = await runBlockwise(task({ input, output }), { workers: 2, runDir: join(folder, 'runs') })
    assert.deepEqual(result.tasks[0]?.failures, [])
    assert.ok(result.ok)

    const edges = await openArray(output)
    const { data } = await edges.read(edges.roi)
    await edges[Symbol.asyncDispose]()
    // The first and the last section have zeros as neighbours, beyond the volume.
    const found = new Set<number>()
    for (const [i, value] of data.entries()) if (value === 255) found.add(Math.floor(i / section))
    assert.deepEqual([...found], [0, 63, 64, 99])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
