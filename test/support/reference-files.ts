import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { bytesOf } from '../../src/core/array/dtype.ts'
import { toNanometers } from '../../src/core/geometry/world-unit.ts'
import { openArray } from '../../src/entry/arrays.ts'

/** What a script says of a file, in nm. */
interface Facts {
  readonly voxelSize?: readonly number[]
  readonly offset?: readonly number[]
}

/**
 * Compares files with what the reference library of their format reads: `NAME.npy` beside each, and `expected.json` with the placement
 * of each.
 * @returns how many there were
 */
export async function compareWithReference(folder: string): Promise<number> {
  const all = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Record<string, Facts>
  for (const [name, facts] of Object.entries(all)) {
    await using array = await openArray(join(folder, name))
    await using reference = await openArray(join(folder, `${name}.npy`))
    assert.deepEqual([array.dtype, array.shape], [reference.dtype, reference.shape], name)
    const [found, expected] = [await array.read(array.roi), await reference.read(reference.roi)]
    assert.deepEqual(bytesOf(found.data), bytesOf(expected.data), name)
    const nm = (values: readonly number[]) => values.map((value) => Number(toNanometers(value, array.unit)) + 0)
    if (facts.voxelSize !== undefined) assert.deepEqual(nm(array.voxelSize), facts.voxelSize, name)
    if (facts.offset !== undefined) assert.deepEqual(nm(array.offset), facts.offset, name)
  }
  return Object.keys(all).length
}
