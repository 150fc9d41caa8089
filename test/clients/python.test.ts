import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { type BlockGrid, createBlockGrid } from '../../src/core/grid/block-grid.ts'
import type { BlockGridOptions } from '../../src/core/grid/grid-options.ts'
import { temporaryFolder } from '../support/command-line.ts'
import { pythonOrSkip } from '../support/python.ts'

const run = promisify(execFile)
/** Small grids of one to three axes; many of them have no blocks. */
const anyGrid = fc
  .integer({ min: 1, max: 3 })
  .chain((axes) => {
    const numbers = (min: number, max: number) =>
      fc.array(fc.integer({ min, max }), { minLength: axes, maxLength: axes })
    return fc.record({
      total: fc.record({ offset: numbers(-20, 20), shape: numbers(1, 12) }),
      write: fc.record({ offset: numbers(-9, 9), shape: numbers(1, 5) }),
      lower: numbers(0, 3),
      upper: numbers(0, 3),
      fit: fc.constantFrom('valid' as const, 'shrink' as const, 'overhang' as const),
    })
  })
  .map(({ total, write, lower, upper, fit }) => ({
    totalRoi: total,
    writeRoi: write,
    readRoi: {
      offset: write.offset.map((at, axis) => at - (lower[axis] ?? 0)),
      shape: write.shape.map((length, axis) => length + (lower[axis] ?? 0) + (upper[axis] ?? 0)),
    },
    fit,
  }))

function gridOrNothing(options: BlockGridOptions): BlockGrid | undefined {
  try {
    return createBlockGrid(options)
  } catch {
    return undefined
  }
}

const client = fileURLToPath(new URL('../../clients/python/', import.meta.url))

describe('the Python client', () => {
  it('passes its own tests', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    const { stderr } = await run(python, ['-B', '-m', 'unittest', 'test_bellis'], { cwd: client, timeout: 60_000 })
    assert.match(stderr, /Ran \d+ tests[\s\S]*OK/)
  })

  it('is completely typed, and uses only the syntax of Python 3.9', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    using folder = temporaryFolder()
    const check = ['-m', 'mypy', '--strict', '--cache-dir', folder.path, 'bellis.py']
    const { stdout } = await run(python, check, { cwd: client, timeout: 60_000 })
    assert.match(stdout, /^Success: no issues found in 1 source file/)
    // This checks the grammar only, not the use of newer libraries.
    const parse = 'import ast, sys; ast.parse(open(sys.argv[1]).read(), feature_version=(3, 9))'
    await run(python, ['-c', parse, join(client, 'bellis.py')])
  })

  it('computes the same Rois as the engine, for any grid', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    using folder = temporaryFolder()
    const cases = fc.sample(anyGrid, { numRuns: 300, seed: 20261129 }).flatMap((options) => {
      const grid = gridOrNothing(options)
      return grid === undefined ? [] : [{ grid: options, count: grid.blockCount, blocks: [...grid.blocks()] }]
    })
    assert.ok(cases.length > 100)
    const path = join(folder.path, 'grids.json')
    writeFileSync(path, JSON.stringify(cases))
    const script = `import bellis, json, sys
for case in json.load(open(sys.argv[1])):
    grid = bellis._grid(case)
    assert grid.count == case["count"], case
    for block in case["blocks"]:
        expected = tuple(bellis._roi(block[name]) for name in ("readRoi", "writeRoi"))
        assert grid.rois(block["index"]) == expected, (case["grid"], block, grid.rois(block["index"]))`
    await run(python, ['-B', '-c', script, path], { cwd: client, timeout: 60_000 })
  })

  it('is installed by pip without any other package', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    using folder = temporaryFolder()
    const [source, target] = [join(folder.path, 'source'), join(folder.path, 'target')]
    cpSync(client, source, { recursive: true })
    const flags = ['--quiet', '--no-deps', '--no-index', '--disable-pip-version-check']
    await run(python, ['-m', 'pip', 'install', ...flags, '--target', target, source], { timeout: 60_000 })
    const script = 'import bellis; print(bellis.__file__, bellis.__version__)'
    const { stdout } = await run(python, ['-c', script], {
      env: { ...process.env, PYTHONPATH: target },
      cwd: folder.path,
    })
    assert.equal(stdout.trim(), `${join(target, 'bellis.py')} 0.1.0`)
  })
})
