import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createArray, type DType, openArray, runBlockwise } from '../../src/entry/index.ts'
import { map, threshold } from '../../src/entry/tasks.ts'
import { bellis, hashVoxels, temporaryFolder } from '../support/command-line.ts'
import { pythonOrSkip, runPython } from '../support/python.ts'
import { hash32 } from '../support/seeded-voxels.ts'

const shared = temporaryFolder()
after(() => shared[Symbol.dispose]())
const pathOf = (name: string) => join(shared.path, 'in.zarr', name)
const SHAPE = [7, 19, 23]

/** Values over the full range of a type, including its extremes and some small ones. */
function value(dtype: DType, i: number): number | bigint {
  const seed = hash32(i, 5)
  if (dtype === 'bool') return seed % 2
  if (dtype === 'float32' || dtype === 'float64') {
    return [Number.NaN, Number.POSITIVE_INFINITY, -0.5, 0.5, 1.5, 2.5, -1e300][seed % 40] ?? ((seed % 4001) - 2000) / 8
  }
  const bits = Number(/\d+/.exec(dtype)?.[0])
  const isSigned = !dtype.startsWith('u')
  const [low, high] = isSigned
    ? [-(2n ** BigInt(bits - 1)), 2n ** BigInt(bits - 1) - 1n]
    : [0n, 2n ** BigInt(bits) - 1n]
  const wide = BigInt(seed) * 2n ** 32n + BigInt(hash32(i, 6))
  const whole = [low, high, high - 1n, 0n, 1n, 3n][seed % 12] ?? low + (wide % (high - low + 1n))
  return bits === 64 ? whole : Number(whole)
}

async function make(name: DType, shape: readonly number[] = SHAPE): Promise<void> {
  const chunkShape = shape.map((length) => Math.min(length, 5))
  await using array = await createArray(pathOf(name), { shape, dtype: name, chunkShape, voxelSize: [40, 4, 4] })
  const { data } = await array.read(array.roi)
  for (let i = 0; i < data.length; i++) data[i] = value(name, i) as never
  await array.write(array.roi, data)
}

const DTYPES = ['bool', 'int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32', 'int64', 'uint64', 'float32', 'float64']
before(async () => {
  for (const dtype of DTYPES) await make(dtype as DType)
})

/** Each expression in Python, and the type of its result if that is not the type of the input. */
const EXPRESSIONS: readonly (readonly [string, string, DType?])[] = [
  ['x', 'x'],
  ['255 - x', '255 - x'],
  ['-x + 1', '-x + 1'],
  ['x * 3 - 2 * (x - 1)', 'x * 3 - 2 * (x - 1)'],
  ['x // 7 + x % 7', 'x // 7 + x % 7'],
  ['x // -7 * 2', 'x // -7 * 2'],
  ['x % -7', 'x % -7'],
  ['x ** 2', 'x ** 2'],
  ['-2 ** 2 + x', '-2 ** 2 + x'],
  ['x - max(2, 3 * 7 // 2)', 'x - 10'],
  ['x > 3', 'x > 3', 'bool'],
  ['x >= 3 && x != 100 || x == 1', '(x >= 3) & (x != 100) | (x == 1)', 'bool'],
  ['not x < 3 and x <= 100', '~(x < 3) & (x <= 100)', 'bool'],
  ['!(x == 18446744073709551615)', 'x != 18446744073709551615', 'bool'],
  ['x == 9223372036854775807 ? 1 : x', 'np.where(x == 9223372036854775807, 1, x)'],
  ['max(x, 5) + min(x, 9, 7)', 'np.maximum(x, 5) + np.minimum(np.minimum(x, 9), 7)'],
  ['clamp(x, 2, 10)', 'np.minimum(np.maximum(x, 2), 10)'],
  ['abs(x) * sign(x)', 'x'],
  ['(x > 3) + (x > 100)', '(x > 3) + 1 * (x > 100)'],
  ['x / 4', 'x.astype(float) / 4'],
  ['x * 0.5', 'x.astype(float) * 0.5'],
  ['x + 0.5', 'x.astype(float) + 0.5'],
  [
    'floor(x * 0.3) + ceil(x * 0.3) + round(x * 0.5)',
    'np.floor(x.astype(float) * 0.3) + np.ceil(x.astype(float) * 0.3) + np.rint(x.astype(float) * 0.5)',
  ],
  ['sqrt(abs(x))', 'np.sqrt(np.abs(x).astype(float))'],
]

describe('map', () => {
  it('map equals NumPy on the complete volume, for every type', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    using folder = temporaryFolder()
    const cases: object[] = []
    for (const dtype of DTYPES) {
      const isFloat = dtype.startsWith('float')
      const tasks = EXPRESSIONS.flatMap(([expr, numpy, result], number) => {
        // NumPy and JavaScript do not agree on quotients and remainders of infinities, or on the sign of NaN.
        if (isFloat && /\/\/|%|sign/.test(expr)) return []
        const output = join(folder.path, `${dtype}.zarr/${number}`)
        cases.push({ inputs: { x: pathOf(dtype) }, output, python: numpy, dtype: result ?? dtype })
        return [map({ input: pathOf(dtype), output, expr }, { id: `e${number}` })]
      })
      const { ok, tasks: results } = await runBlockwise(tasks, { pool: 'inline', progress: 'none' })
      assert.ok(ok, JSON.stringify(results.flatMap(({ failures }) => failures)))
    }
    const conversions = [
      ['int8', 'uint8', 'x'],
      ['float64', 'int8', 'x'],
      ['float32', 'uint64', 'x * 1e30'],
      ['float64', 'int64', 'x'],
      ['uint64', 'float32', 'x'],
      ['int64', 'uint16', 'x'],
      ['uint8', 'float64', 'x / 255'],
      ['float32', 'bool', 'x'],
      ['uint64', 'bool', 'x - 1'],
      ['uint8', 'int16', 'isnan(x) - 300 * x'],
    ] as const
    for (const [from, dtype, expr] of conversions) {
      const output = join(folder.path, `to.zarr/${from}-${dtype}`)
      const { ok } = await runBlockwise(map({ input: pathOf(from), output, expr, dtype }), {
        pool: 'inline',
        progress: 'none',
      })
      assert.ok(ok)
      const numpy = expr.replace('isnan(x)', '0')
      cases.push({ inputs: { x: pathOf(from) }, output, python: numpy, dtype })
    }
    const several = join(folder.path, 'several.zarr/a')
    const expr = 'labels == 3 || labels > 9223372036854775807 ? x : (image + x) / 2'
    const { ok } = await runBlockwise(
      map({
        input: pathOf('uint8'),
        output: several,
        expr,
        with: { labels: pathOf('uint64'), image: pathOf('int16') },
      }),
      { pool: 'inline', progress: 'none' },
    )
    assert.ok(ok)
    cases.push({
      inputs: { x: pathOf('uint8'), labels: pathOf('uint64'), image: pathOf('int16') },
      output: several,
      python: 'np.where((labels == 3) | (labels > 9223372036854775807), x, (image + x) / 2)',
      dtype: 'uint8',
    })
    await runPython(python, new URL('check_maps.py', import.meta.url), [], JSON.stringify(cases))
  })

  it('the command map keeps the placement, and warns about fractions that are rounded', async () => {
    using folder = temporaryFolder()
    const call = ['map', pathOf('uint8'), 'out.zarr/a', '--workers', '2']
    const { code, stderr } = await bellis([...call, '--expr', 'x * 0.5'], { cwd: folder.path })
    assert.equal(code, 0, stderr)
    assert.match(
      stderr,
      /warning: map: "x \* 0\.5" may give fractions, which are rounded to uint8; dtype float32 keeps them/,
    )
    await using half = await openArray(join(folder.path, 'out.zarr/a'))
    assert.deepEqual([half.dtype, half.voxelSize, half.shape], ['uint8', [40, 4, 4], SHAPE])
    const quiet = await bellis([...call.with(2, 'out.zarr/b'), '--expr', 'x * 0.5', '--dtype', 'uint8'], {
      cwd: folder.path,
    })
    assert.doesNotMatch(quiet.stderr, /warning/)
  })

  it('map keeps channels, and every block has all of them', async () => {
    using folder = temporaryFolder()
    const shape = [3, 5, 6, 7]
    const input = join(folder.path, 'c.zarr/raw')
    {
      await using array = await createArray(input, {
        shape,
        dtype: 'uint8',
        chunkShape: [1, 2, 4, 4],
        voxelSize: [4, 4, 4],
      })
      await array.write(
        array.roi,
        Uint8Array.from({ length: 630 }, (_, i) => i % 251),
      )
    }
    const output = join(folder.path, 'c.zarr/out')
    const { ok } = await runBlockwise(map({ input, output, expr: 'x + 1' }), { pool: 'inline', progress: 'none' })
    assert.ok(ok)
    await using made = await openArray(output)
    const { data } = await made.read(made.roi)
    assert.deepEqual(
      data,
      Uint8Array.from({ length: 630 }, (_, i) => (i % 251) + 1),
    )
  })

  it('map refuses an expression that it cannot evaluate before anything is written', async () => {
    using folder = temporaryFolder()
    const other = await createArray(join(shared.path, 'other.zarr/m'), { shape: [7, 19, 24], dtype: 'uint8' })
    await other.close()
    for (const [args, message] of [
      [['--expr', 'x >'], /--expr "x >": a value is missing after "x >"/],
      [['--expr', 'x & 1'], /there is no "&" here; use &&/],
      [['--expr', 'process.exit(1)'], /there is no "\." here/],
      [['--expr', 'eval(x)'], /there is no function "eval"; there are abs, ceil, /],
      [['--expr', 'constructor'], /constructor is not defined; the voxels are x/],
      [['--expr', 'y + x'], /y is not defined; the voxels are x, and "with" names further datasets/],
      [['--expr', '1 < x < 5'], /compare two values at a time: 1 < x && x < 5/],
      [['--expr', '('.repeat(1900)], /it is nested too deeply/],
      [['--expr', '('.repeat(5000)], /it is too long: more than 2000 numbers, names and signs/],
      [['--expr', 'x', '--with', `m=${pathOf('int8')}`], /it does not use m, which "with" names/],
      [['--expr', 'x + abs', '--with', `abs=${pathOf('int8')}`], /"\(" is missing after "x \+ abs"/],
      [['--expr', 'x', '--with', 'm'], /--with m: expected a name and a dataset/],
      [['--expr', 'x + m', '--with', `m=${other.path}`], /expected the same shape and placement/],
      [[], /--expr is missing/],
    ] as const) {
      const call = ['map', pathOf('uint8'), 'out.zarr/a', ...args]
      const { code, stderr } = await bellis(call, { cwd: folder.path })
      assert.deepEqual([code, stderr.trim().split('\n').length], [2, 1], stderr)
      assert.match(stderr, message)
    }
    assert.deepEqual(readdirSync(folder.path), [])
  })
})

describe('threshold', () => {
  it('threshold keeps the voxels above, below or between values', async () => {
    using folder = temporaryFolder()
    const input = pathOf('int16')
    for (const [flags, expr] of [
      [['--above', '100'], 'x > 100'],
      [['--below', '-0.5'], 'x < -0.5'],
      [['--above', '-1e3', '--below', '1000'], '-1000 < x and x < 1000'],
    ] as const) {
      const { code, stderr } = await bellis(
        ['threshold', input, 'a.zarr/m', ...flags, '--pool', 'inline', '--overwrite', '--yes'],
        { cwd: folder.path },
      )
      assert.equal(code, 0, stderr)
      const output = join(folder.path, 'b.zarr', expr.replaceAll(/\W/g, '_'))
      await runBlockwise(map({ input, output, expr }), { pool: 'inline', progress: 'none' })
      assert.equal(await hashVoxels(join(folder.path, 'a.zarr/m')), await hashVoxels(output))
    }
    assert.throws(() => threshold({ input, output: 'a.zarr' }), /"above" and "below" are both missing/)
  })
})
