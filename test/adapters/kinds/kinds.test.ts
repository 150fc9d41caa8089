import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { bytesOf, type DType } from '../../../src/core/array/dtype.ts'
import { BlockwiseError } from '../../../src/core/errors.ts'
import { toNanometers } from '../../../src/core/geometry/world-unit.ts'
import { openArray } from '../../../src/entry/arrays.ts'
import { pythonOrSkip, runPython } from '../../support/python.ts'
import { temporaryFolder } from '../../support/zarr.ts'

/** A dataset as people have it, and what the reference library of its format reads. */
interface Expected {
  /** The first column of the table in the documentation. */
  readonly kind: string
  readonly path: string
  /** Fits the message with which it is refused. */
  readonly error: string | null
  readonly warning: string | null
  /** In nm, of the last axes. */
  readonly voxelSize: readonly number[] | null
  readonly offset: readonly number[] | null
  readonly voxels?: string
  readonly shape?: readonly number[]
  readonly dtype?: DType
}

const SCRIPTS = ['hdf5', 'zarr', 'other']

async function assertRead(folder: string, expected: Expected): Promise<void> {
  const where = `${expected.kind}: ${expected.path}`
  const path = join(folder, expected.path)
  if (expected.error !== null) {
    const reading = async () => {
      await using array = await openArray(path)
      await array.read(array.roi)
    }
    await assert.rejects(reading(), (error) => {
      assert.ok(error instanceof BlockwiseError, `${where}: ${error}`)
      assert.match(error.message, new RegExp(expected.error as string, 's'), where)
      return true
    })
    return
  }
  await using array = await openArray(path)
  assert.deepEqual([array.dtype, array.shape], [expected.dtype, expected.shape], where)
  const { data } = await array.read(array.roi)
  assert.ok(readFileSync(join(folder, expected.voxels as string)).equals(bytesOf(data)), `${where}: other voxels`)
  const nm = (values: readonly number[], like: readonly number[]) =>
    values.slice(-like.length).map((value) => Number(toNanometers(value, array.unit)) + 0)
  const { voxelSize, offset, warning } = expected
  if (voxelSize !== null) assert.deepEqual(nm(array.voxelSize, voxelSize), voxelSize, where)
  if (offset !== null) assert.deepEqual(nm(array.offset, offset), offset, where)
  if (warning !== null) assert.match(array.warnings?.join('\n') ?? '', new RegExp(warning), where)
}

/** The first column of the table "Files as people have them". */
function documented(): string[] {
  const page = readFileSync(new URL('../../../docs/DATA-PATH.md', import.meta.url), 'utf8')
  const [, table = ''] = /### Files as people have them\n([^#]*)/.exec(page) ?? []
  return [...table.matchAll(/^\| (?!kind|---)(.*?) \|/gm)].map(([, kind]) => kind as string)
}

describe('files as people have them', () => {
  it('are read as the reference library of their format reads them, or refused, at least three of each kind in the documentation', async (t: TestContext) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    const home = process.cwd()
    t.after(() => process.chdir(home))
    const counts = new Map(documented().map((kind) => [kind, 0]))
    const wrong: string[] = []
    for (const name of SCRIPTS) {
      const folder = await temporaryFolder(t)
      await runPython(python, new URL(`${name}_kinds.py`, import.meta.url), [folder])
      const all = JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as readonly Expected[]
      // HDF5 looks for raw files where the process runs.
      process.chdir(folder)
      for (const expected of all) {
        counts.set(expected.kind, (counts.get(expected.kind) ?? Number.NaN) + 1)
        await assertRead(folder, expected).catch((error: Error) => wrong.push(error.message))
      }
    }
    assert.deepEqual(wrong, [])
    const short = [...counts].filter(([, count]) => !(count >= 3))
    assert.deepEqual(short, [], 'kinds with too few files, or that are missing in the table')
  })
})
