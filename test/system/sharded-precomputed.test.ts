import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createArray, roi } from 'bellis'
import { bellis, dyingAfter, hashVoxels, temporaryFolder } from '../support/command-line.ts'

const SHAPE = [20, 40, 50]
const convert = ['convert', 'in.zarr/raw', 'out.precomputed', '--chunk', '8,8,8', '--pool', 'inline', '--workers', '1']

async function makeInput(folder: string): Promise<void> {
  await using array = await createArray(join(folder, 'in.zarr/raw'), { shape: SHAPE, dtype: 'uint16' })
  const data = Uint16Array.from({ length: 20 * 40 * 50 }, (_, i) => (i * 2654435761) >>> 17)
  await array.write(roi([0, 0, 0], SHAPE), data)
}

describe('a precomputed volume in shards', () => {
  it('is complete after runs that were killed at any step', async () => {
    using folder = temporaryFolder()
    const cwd = folder.path
    await makeInput(cwd)
    const args = [...convert, '--shard', '16,16,16']
    for (const steps of [3, 5, 9, 14]) {
      const killed = await bellis(args, { cwd, env: dyingAfter(steps) })
      assert.equal(killed.code, 'SIGKILL', killed.stderr)
    }
    const done = await bellis(args, { cwd })
    assert.equal(done.code, 0, done.stderr)
    assert.equal(await hashVoxels(join(cwd, 'out.precomputed')), await hashVoxels(join(cwd, 'in.zarr/raw')))
    const scale = readdirSync(join(cwd, 'out.precomputed'), { withFileTypes: true }).find((entry) =>
      entry.isDirectory(),
    )
    const shards = readdirSync(join(cwd, 'out.precomputed', scale?.name ?? '')).filter((name) => !name.startsWith('.'))
    assert.deepEqual(
      shards.sort(),
      Array.from({ length: 2 * 3 * 4 }, (_, i) => i)
        .flatMap(shardName)
        .sort(),
    )
  })

  it('is refused with shards that it can’t have, before anything is written', async () => {
    using folder = temporaryFolder()
    const cwd = folder.path
    await makeInput(cwd)
    const other = await bellis([...convert, '--shard', '32,8,8'], { cwd })
    assert.equal(other.code, 2)
    assert.match(other.stderr.replaceAll(/\s+/g, ' '), /shard shape \(32, 8, 8\) can't be written.*use \(/)
    assert.ok(!readdirSync(cwd).includes('out.precomputed'))
  })
})

/** Of 3 x 5 x 7 chunks, each shard has 2 x 2 x 2: its number has the remaining bits, x first, of 2 x 3 x 4 shards. */
function shardName(i: number): string[] {
  const [z, y, x] = [Math.floor(i / 12), Math.floor(i / 4) % 3, i % 4]
  const code = (x & 1) | ((y & 1) << 1) | ((z & 1) << 2) | ((x >> 1) << 3) | ((y >> 1) << 4)
  return [`${code.toString(16).padStart(2, '0')}.shard`]
}
