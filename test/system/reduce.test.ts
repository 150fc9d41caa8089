import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createArray, type DType, openArray } from '../../src/entry/index.ts'
import { bellis, dyingAt, temporaryFolder } from '../support/command-line.ts'
import { pythonOrSkip, runPython } from '../support/python.ts'
import { hash32 } from '../support/seeded-voxels.ts'

const shared = temporaryFolder()
after(() => shared[Symbol.dispose]())
const pathOf = (name: string) => join(shared.path, 'in.zarr', name)

async function make(name: string, dtype: DType, valueFor: (seed: number) => number | bigint): Promise<void> {
  const shape = [11, 23, 21]
  const voxelSize = [50_000, 4600, 4600]
  const options = { shape, dtype, chunkShape: [4, 8, 8], voxelSize, unit: 'pm', offset: [0, 2300, 0] } as const
  await using array = await createArray(pathOf(name), options)
  const { data } = await array.read(array.roi)
  for (let i = 0; i < data.length; i++) data[i] = valueFor(hash32(i, 9)) as never
  await array.write(array.roi, data)
}

before(async () => {
  await make('bool', 'bool', (seed) => seed % 2)
  await make('uint8', 'uint8', (seed) => seed % 256)
  await make('int8', 'int8', (seed) => (seed % 256) - 128)
  await make('uint16', 'uint16', (seed) => seed % 65_536)
  await make('int32', 'int32', (seed) => seed - 2 ** 31)
  await make('uint64', 'uint64', (seed) => 2n ** 64n - 1n - BigInt(seed))
  await make('int64', 'int64', (seed) => -(2n ** 63n) + BigInt(seed) * 2n ** 31n)
  await make('float32', 'float32', (seed) => (seed % 17 === 0 ? Number.NaN : (seed % 10_000) / 100 - 50))
  await make('float64', 'float64', (seed) => 1e9 + (seed % 1000) / 1000)
  await make('nan', 'float64', () => Number.NaN)
})

/** Kills a call when some of its blocks are done. */
async function killAfterSome(call: readonly string[], cwd: string): Promise<void> {
  const killed = await bellis(call, { cwd, env: dyingAt(0) })
  assert.equal(killed.code, 'SIGKILL')
}

describe('bellis reduce', () => {
  it('reduce equals NumPy on the complete volume, for every type and any blocks', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    using folder = temporaryFolder()
    const cases: object[] = []
    for (const [name, flags, bins, range, slices] of [
      ['bool', [], 2, [0, 2]],
      ['uint8', [], 256, [0, 256]],
      ['uint8', ['--block', '3,5,21'], 7, [0, 256]],
      ['uint8', ['--range', '10,20'], 3, [10, 20]],
      [
        'uint8',
        ['--roi', '100,6.9,9.2:250,46,18.4'],
        4,
        [0, 256],
        [
          [2, 7],
          [1, 11],
          [2, 6],
        ],
      ],
      ['int8', ['--block', '1,1,21'], 5, [-128, 128]],
      ['uint16', ['--block', '5,5,5'], 100, [0, 65_536]],
      ['int32', ['--range=-1e9,1e9'], 33, [-1e9, 1e9]],
      ['uint64', ['--block', '4,9,7']],
      ['int64', ['--block', '4,9,7']],
      ['float32', ['--block', '2,23,9', '--range=-50,49.99'], 1000, [-50, 49.99]],
      ['float64', ['--block', '4,4,4']],
      ['nan', ['--block', '4,9,7']],
    ] as [string, string[], number?, number[]?, number[][]?][]) {
      const histogram = bins === undefined ? [] : ['--bins', String(bins)]
      const call = ['reduce', pathOf(name), ...flags, ...histogram, '--json', '--quiet', '--pool', 'inline']
      const { code, stdout, stderr } = await bellis(call, { cwd: folder.path })
      assert.equal(code, 0, stderr)
      // As text: JavaScript would round numbers beyond 2^53.
      const [, reduction] = /"reduction": (\{.*\})\s*\}\s*$/s.exec(stdout) ?? []
      const described = JSON.stringify({ input: pathOf(name), bins: bins ?? null, range, slices: slices ?? null })
      cases.push([described.slice(0, -1), `"reduction":${reduction}}`])
    }
    const text = `[${cases.map((parts) => (parts as string[]).join(',')).join(',')}]`
    await runPython(python, new URL('check_reductions.py', import.meta.url), [], text)
    assert.deepEqual(
      readdirSync(join(folder.path, '.bellis')).filter((name) => name.endsWith('.zarr')),
      [],
    )
  })

  it('reduce prints its result for people, and reads a volume again that has changed', async () => {
    using folder = temporaryFolder()
    const input = join(folder.path, 'a.zarr/a')
    await using array = await createArray(input, { shape: [4], dtype: 'uint8', chunkShape: [2] })
    await array.write(array.roi, Uint8Array.of(0, 1, 2, 5))
    const call = ['reduce', input, '--bins', '3', '--range', '0,6', '--pool', 'inline']
    const first = await bellis(call, { cwd: folder.path })
    assert.match(
      first.stdout,
      /4 values, 3 not 0\nmin 0, max 5, mean 2, std 1\.870829\n {2}0 … 2 {2}2 {2}█{40}\n {2}2 … 4 {2}1 {2}█{20}\n {2}4 … 6 {2}1 {2}█{20}\n$/,
    )
    await array.write(array.roi, Uint8Array.of(3, 3, 3, 3))
    const second = await bellis(call, { cwd: folder.path })
    assert.match(second.stdout, /min 3, max 3, mean 3, std 0\n/)
    assert.doesNotMatch(second.stderr, /warning/)
  })

  it('reduce does only what is missing after it was killed, and keeps no partial results when it is done', async () => {
    using folder = temporaryFolder()
    const call = ['reduce', pathOf('uint8'), '--block', '1,4,7', '--workers', '2', '--bins', '8', '--json', '--quiet']
    await killAfterSome(call, folder.path)
    const parts = () => readdirSync(join(folder.path, '.bellis')).filter((name) => name.endsWith('.zarr'))
    assert.equal(parts().length, 1)
    const resumed = await bellis(call, { cwd: folder.path })
    assert.equal(resumed.code, 0, resumed.stderr)
    const document = JSON.parse(resumed.stdout)
    const [{ skipped, total }] = document.tasks
    assert.ok(skipped > 0 && skipped < total, `${skipped} of ${total}`)
    assert.deepEqual(parts(), [])
    const whole = await bellis([...call, '--block', '11,23,21'], { cwd: folder.path })
    const { mean, std, ...exact } = JSON.parse(whole.stdout).reduction
    const { mean: resumedMean, std: resumedStd, ...resumedExact } = document.reduction
    assert.deepEqual(resumedExact, exact)
    for (const [one, other] of [
      [mean, resumedMean],
      [std, resumedStd],
    ])
      assert.ok(Math.abs(one - other) < 1e-9)
  })

  it('reduce starts again if the volume was recreated after it was killed', async () => {
    using folder = temporaryFolder()
    const fill = async (value: number) => {
      const options = { shape: [11, 23, 21], dtype: 'uint8', chunkShape: [4, 8, 8], ifExists: 'replace' } as const
      await using array = await createArray(join(folder.path, 'in.zarr/a'), options)
      const { data } = await array.read(array.roi)
      await array.write(array.roi, data.fill(value as never))
    }
    await fill(1)
    const call = ['reduce', 'in.zarr/a', '--block', '1,4,7', '--workers', '2', '--json', '--quiet']
    await killAfterSome(call, folder.path)
    await fill(2)
    const { min, max, mean } = JSON.parse((await bellis(call, { cwd: folder.path })).stdout).reduction
    assert.deepEqual([min, max, mean], [2, 2, 2])
  })

  it('reduce reports a volume that cannot even be looked up', async () => {
    using folder = temporaryFolder()
    const { code, stderr } = await bellis(['reduce', `${'a'.repeat(300)}.zarr/a`], { cwd: folder.path })
    assert.match(stderr, /^bellis: Can't read a+\.zarr/)
    assert.ok(code === 1 || code === 2, `${code}`)
  })

  it('reduce keeps the partial results if asked to', async () => {
    using folder = temporaryFolder()
    const call = ['reduce', pathOf('uint8'), '--parts', 'p.zarr/a', '--block', '11,23,7', '--pool', 'inline', '--json']
    const { code, stderr } = await bellis(call, { cwd: folder.path })
    assert.equal(code, 0, stderr)
    await using moments = await openArray(join(folder.path, 'p.zarr/a/moments'))
    assert.deepEqual(moments.shape, [3, 5])
    const again = JSON.parse((await bellis(call, { cwd: folder.path })).stdout)
    assert.deepEqual([again.tasks[0].skipped, again.reduction.count], [3, 11 * 23 * 21])
  })

  it('reduce refuses invalid arguments before it writes', async () => {
    using folder = temporaryFolder()
    for (const [name, flags, message] of [
      ['float32', ['--bins', '4'], /"range" is missing: .* is float32.*give "range" as low,high/],
      ['uint8', ['--range', '0,4'], /"range" is 0,4, but "bins" is missing/],
      ['uint8', ['--bins', '4', '--range', '4,4'], /"range" is 4,4; the upper bound must exceed the lower/],
      ['uint8', ['--bins', '4', '--range', '4'], /--range 4: expected two numbers separated by a comma/],
      ['uint8', ['--bins', '0'], /--bins 0: expected a whole number of at least 1/],
      ['uint8', ['--block', '4'], /"block" is 4, but .* has 3 axes/],
      ['uint8', ['--roi', '0,0,0:100,46,46'], /is not inside|is not a whole number of voxels/],
    ] as const) {
      const { code, stderr } = await bellis(['reduce', pathOf(name), ...flags], { cwd: folder.path })
      assert.deepEqual([code, stderr.trim().split('\n').length], [2, 1], stderr)
      assert.match(stderr, message)
    }
    assert.deepEqual(readdirSync(folder.path), [])
  })
})
