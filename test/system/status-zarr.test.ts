import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { openArray } from '../../src/entry/arrays.ts'
import { bellis, temporaryFolder } from '../support/command-line.ts'
import { pythonOrSkip, runPython } from '../support/python.ts'
import { drive, runsIn, upTo } from '../support/recorded-runs.ts'

const script = new URL('check_states.py', import.meta.url)

describe('the record of a run as a Zarr array', () => {
  it('status --zarr writes an element for each block at its position, as zarr-python reads it', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    using folder = temporaryFolder()
    const { path: cwd } = folder
    const call = async (...words: string[]) => {
      const { code, stdout, stderr } = await bellis(words, { cwd })
      assert.equal(code, 0, stderr)
      return stdout
    }
    await call('sample', 'sample.hdf', '--size', '40,128,96', '--quiet')
    // 3 × 4 × 3 blocks, the last of which along z are cropped.
    const smooth = ['smooth', 'sample.hdf/volumes/raw', 'out.zarr/soft', '--sigma', '1', '--block-write', '16,32,32']
    await call(...smooth, '--workers', '1', '--quiet')
    const [name] = runsIn(cwd) as [string]
    // Voxels are 40 × 4 × 4 nm: blocks (1, 2, 0) and (1, 2, 1).
    await call('reset', name, '--roi', '640,300,100:10,10,60', '--yes')
    assert.match(await call('status', name, '--zarr', 'states.zarr'), /34 of 36 .*\n {2}block states: states\.zarr/)
    const values = upTo(36).map((block) => (block === 18 || block === 19 ? 0 : 1))
    const path = join(cwd, 'states.zarr')
    await runPython(python, script, [], JSON.stringify([{ path, task: 'smooth', shape: [3, 4, 3], values }]))
    await using array = await openArray(path)
    assert.deepEqual(array.voxelSize, [640, 128, 128])
    // The earlier export is replaced.
    await call(...smooth, '--workers', '1', '--quiet')
    await call('status', name, '--zarr', 'states.zarr')
    const all = { path, task: 'smooth', shape: [3, 4, 3], values: values.fill(1) }
    await runPython(python, script, [], JSON.stringify([all]))
  })

  it('status --zarr marks failed blocks, and writes an array per task if there are several', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    using one = temporaryFolder()
    writeFileSync(join(one.path, 'bug'), '3 8')
    await drive({ folder: one.path, blocks: 12 }, { maxRetries: 0 }, { task: 'has-bug.ts' })
    using two = temporaryFolder()
    await drive({ folder: two.path, blocks: 10 }, {}, { task: 'two-lines.ts' })
    const [name] = runsIn(two.path) as [string]
    const forgotten = await bellis(['reset', name, '--roi', '4:1', '--yes'], { cwd: two.path })
    assert.equal(forgotten.code, 0, forgotten.stderr)
    for (const { path: cwd } of [one, two]) {
      const { code, stderr } = await bellis(['status', runsIn(cwd)[0] as string, '--zarr', 'states.zarr'], { cwd })
      assert.equal(code, 0, stderr)
    }
    const group = join(two.path, 'states.zarr')
    const arrays = ['first', 'second']
    const lineOf = (task: string, missing: readonly number[]) => ({
      ...{ path: join(group, task), task, shape: [10], group, arrays },
      values: upTo(10).map((block) => (missing.includes(block) ? 0 : 1)),
    })
    const cases = [
      {
        ...{ path: join(one.path, 'states.zarr'), task: 'has-bug', shape: [12] },
        values: upTo(12).map((block) => (block === 3 || block === 8 ? 2 : 1)),
      },
      lineOf('first', [4]),
      lineOf('second', [3, 4, 5]),
    ]
    await runPython(python, script, [], JSON.stringify(cases))
  })

  it('status --zarr replaces nothing else', async () => {
    using folder = temporaryFolder()
    const { path: cwd } = folder
    await drive({ folder: cwd, blocks: 3 })
    const [name] = runsIn(cwd) as [string]
    await bellis(['sample', 'sample.hdf', '--size', '8,8,8', '--quiet'], { cwd })
    await bellis(['convert', 'sample.hdf/volumes/raw', 'out.zarr/raw', '--workers', '1', '--quiet'], { cwd })
    const refused = await bellis(['status', name, '--zarr', 'out.zarr/raw'], { cwd })
    assert.equal(refused.code, 2)
    assert.match(refused.stderr, /out\.zarr\/raw exists and does not contain block states; choose another name/)
    const other = await bellis(['status', name, '--zarr', 'states.hdf'], { cwd })
    assert.equal(other.code, 2)
    assert.match(other.stderr, /states are written as Zarr; use a name that ends in \.zarr/)
    assert.ok(!existsSync(join(cwd, 'states.hdf')))
  })
})
