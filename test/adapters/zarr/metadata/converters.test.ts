import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import zlib from 'node:zlib'
import { zarrFormat } from '../../../../src/adapters/zarr/zarr-format.ts'
import { placeAxes } from '../../../../src/core/geometry/placement.ts'
import { roi } from '../../../../src/core/geometry/roi.ts'
import type { ChunkedArray } from '../../../../src/ports/chunked-array.ts'
import { countOf, temporaryFolder } from '../../../support/zarr.ts'

const format = zarrFormat()

/** The bytes 0 … 63 as an image whose only level is "0", under the metadata that a converter wrote. */
async function image(t: TestContext, multiscale: object, more: { zarray?: object; chunk?: Uint8Array } = {}) {
  const container = join(await temporaryFolder(t), 'a.zarr')
  const { axes = ['t', 'c', 'z', 'y', 'x'] } = multiscale as { axes?: readonly unknown[] }
  const shape = [1, 1, 4, 4, 4].slice(5 - axes.length)
  await mkdir(join(container, '0'), { recursive: true })
  const zarray = { zarr_format: 2, shape, chunks: shape, dtype: '|u1', compressor: null, fill_value: 0, order: 'C' }
  const chunk = more.chunk ?? Uint8Array.from({ length: 64 }, (_, i) => i)
  await Promise.all([
    writeFile(join(container, '.zgroup'), '{"zarr_format": 2}'),
    writeFile(join(container, '.zattrs'), JSON.stringify({ multiscales: [{ version: '0.4', ...multiscale }] })),
    writeFile(join(container, '0', '.zarray'), JSON.stringify({ ...zarray, filters: null, ...more.zarray })),
    writeFile(join(container, '0', shape.map(() => 0).join('.')), chunk),
  ])
  return container
}

async function opened(t: TestContext, multiscale: object, more: Parameters<typeof image>[2] = {}) {
  const array = await format.open(await image(t, multiscale, more), '0')
  const into = new Uint8Array(countOf(array.shape)).fill(0xa5)
  await array.readVoxels(
    roi(
      array.shape.map(() => 0),
      array.shape,
    ),
    into,
  )
  assert.deepEqual(
    [...into],
    Array.from({ length: 64 }, (_, i) => i),
  )
  return array
}

const space = (unit: object = { unit: 'micrometer' }) =>
  ['z', 'y', 'x'].map((name) => ({ name, type: 'space', ...unit }))
const film = (time: object) => [{ name: 't', type: 'time', ...time }, { name: 'c', type: 'channel' }, ...space()]
const scale = (...values: unknown[]) => ({ type: 'scale', scale: values })
const translation = (...values: unknown[]) => ({ type: 'translation', translation: values })
const level = (...coordinateTransformations: object[]) => [{ path: '0', coordinateTransformations }]

const placed = ({ axes }: ChunkedArray) => {
  const { voxelSize, offset, unit } = placeAxes(axes)
  assert.equal(unit, 'nm')
  return { voxelSize: voxelSize.slice(-3), offset: offset.slice(-3) }
}

describe('OME-Zarr as converters have written it', () => {
  const MICROMETERS = [
    { unit: 'micrometer' }, { unit: 'micrometers' }, { unit: 'Micrometer' }, { unit: 'micrometre' }, { unit: 'micron' },
    { unit: 'microns' }, { unit: 'um' }, { unit: 'µm' }, { unit: 'μm' }, { unit: ' micrometer ' }, { units: 'micrometer' },
    { unit: '', units: 'um' }, { unit: 'MICROMETERS' },
  ] // biome-ignore format: a table
  it('has its voxel size in nm, however the unit is spelled', async (t) => {
    for (const unit of MICROMETERS) {
      const array = await opened(t, { axes: space(unit), datasets: level(scale(2, 0.5, 0.5)) })
      assert.deepEqual([placed(array).voxelSize, array.warnings], [[2000, 500, 500], []], JSON.stringify(unit))
    }
    const inches = await opened(t, { axes: space({ unit: 'inch' }), datasets: level(scale(1, 1, 2)) })
    assert.deepEqual(placed(inches).voxelSize, [25_400_000, 25_400_000, 50_800_000])
  })

  for (const unit of [
    { unit: 'pixel' },
    { unit: 'furlong' },
    { unit: 'voxels' },
    { unit: '' },
    { unit: null },
    { unit: 7 },
    {},
  ]) {
    it(`is read with a warning where the unit is no length: ${JSON.stringify(unit)}`, async (t) => {
      const array = await opened(t, { axes: space(unit), datasets: level(scale(2, 3, 5)) })
      assert.deepEqual(placed(array).voxelSize, [2, 3, 5])
      assert.equal(array.warnings?.length, 1)
      assert.match(array.warnings?.[0] ?? '', /^axes "z", "y", "x": .*taken as nm; if that is wrong, give --unit or/)
    })
  }

  it('needs no unit where a voxel is 1', async (t) => {
    const array = await opened(t, { axes: space({}), datasets: level(scale(1, 1, 1)) })
    assert.deepEqual([placed(array).voxelSize, array.warnings], [[1, 1, 1], []])
  })

  for (const unit of ['second', 'seconds', 'minute', 'hour', 'days', 'msec', 'Hour']) {
    it(`is a film whose time step is in ${unit}`, async (t) => {
      const array = await opened(t, { axes: film({ unit }), datasets: level(scale(3, 1, 2, 0.5, 0.5)) })
      assert.deepEqual([placed(array).voxelSize, array.warnings], [[2000, 500, 500], []])
      assert.deepEqual([array.axes[0]?.type, array.axes[0]?.scale], ['time', 3])
    })
  }

  const STEPS = [0, -1, 'NaN', null, 'none']
  for (const step of STEPS) {
    it(`is a film with frames of 1 where the time step is ${step}, with a warning`, async (t) => {
      const array = await opened(t, { axes: film({ unit: 'second' }), datasets: level(scale(step, 1, 2, 0.5, 0.5)) })
      assert.deepEqual([placed(array).voxelSize, array.axes[0]?.scale], [[2000, 500, 500], 1])
      assert.match(array.warnings?.join() ?? '', /^axis "t": the time step .* is not a number above 0, so 1 is used$/)
    })
  }

  it('has voxels of 1 in its unit where a voxel size is 0, with a warning', async (t) => {
    const array = await opened(t, { axes: space(), datasets: level(scale(0, 0.5, 0.5)) })
    assert.deepEqual(placed(array).voxelSize, [1000, 500, 500])
    assert.match(array.warnings?.join() ?? '', /^axis "z": the voxel size 0/)
  })

  it('has a film whose unit of time is unknown, with a warning', async (t) => {
    const array = await opened(t, { axes: film({ unit: 'frame' }), datasets: level(scale(1, 1, 2, 0.5, 0.5)) })
    assert.equal(array.axes[0]?.unit, undefined)
    assert.deepEqual(array.warnings, ['axis "t": "frame" is not a unit of time, so the time has no unit'])
  })

  const nm = space({ unit: 'nanometer' })
  it('composes translations and scales in the order given, those of the level first', async (t) => {
    const edge = async (datasets: object, outer: object[] = []) => {
      const array = await opened(t, { axes: nm, datasets, coordinateTransformations: outer })
      return { ...placed(array), warnings: array.warnings?.length }
    }
    const size = [4, 4, 4]
    // Centres at 10, 40 and 40 nm: half a voxel is 2 nm.
    const normal = await edge(level(scale(4, 4, 4), translation(10, 10, 10)))
    assert.deepEqual(normal, { voxelSize: size, offset: [8, 8, 8], warnings: 0 })
    const swapped = await edge(level(translation(10, 10, 10), scale(4, 4, 4)))
    assert.deepEqual(swapped, { voxelSize: size, offset: [38, 38, 38], warnings: 1 })
    const outer = await edge(level(scale(2, 2, 2), translation(5, 5, 5)), [scale(2, 2, 2), translation(30, 30, 30)])
    assert.deepEqual(outer, { voxelSize: size, offset: [38, 38, 38], warnings: 0 })
    const onlyOuter = await edge([{ path: '0' }], [scale(4, 4, 4), translation(10, 10, 10)])
    assert.deepEqual(onlyOuter, { voxelSize: size, offset: [8, 8, 8], warnings: 0 })
    const twice = await edge(level(scale(2, 2, 2), { type: 'identity' }, scale(2, 2, 2), translation(10, 10, 10)))
    assert.deepEqual(twice, { voxelSize: size, offset: [8, 8, 8], warnings: 0 })
  })

  it('names transformations that it does not apply', async (t) => {
    const array = await opened(t, {
      axes: nm,
      datasets: level({ type: 'affine', affine: [] }, scale(4, 4), scale(4, 4, 4)),
    })
    assert.deepEqual(placed(array).voxelSize, [4, 4, 4])
    assert.match(array.warnings?.join() ?? '', /the kind "affine" is not applied,a scale is not a list of 3 numbers/)
  })

  it('finds a level whose path is written with a dot, and the axes of version 0.2', async (t) => {
    const dotted = await opened(t, {
      axes: nm,
      datasets: [{ path: './0', coordinateTransformations: [scale(4, 4, 4)] }],
    })
    assert.deepEqual(placed(dotted).voxelSize, [4, 4, 4])
    const old = await opened(t, { version: '0.2', datasets: [{ path: '0' }] })
    assert.deepEqual(
      old.axes.map(({ type }) => type),
      ['time', 'channel', 'space', 'space', 'space'],
    )
  })
})

describe('a fill value as text', () => {
  const cases: readonly (readonly [dtype: string, text: string, value: number | bigint])[] = [
    ['|u1', '0', 0], ['|u1', '7', 7], ['<i2', '-3', -3], ['>u2', '0x00ff', 255], ['<u8', '18446744073709551615', 2n ** 64n - 1n],
    ['<i8', '-9223372036854775808', -(2n ** 63n)], ['<u2', '7.0', 7], ['<i4', 'AQAAAA==', 1], ['|b1', 'true', 1], ['|b1', '0', 0],
    ['<f4', '0', 0], ['<f4', '1.5', 1.5], ['<f8', '-1e-3', -0.001], ['<f4', 'NaN', Number.NaN], ['<f4', 'nan', Number.NaN],
    ['<f4', 'Infinity', Infinity], ['<f8', '-Infinity', -Infinity], ['<f8', '-inf', -Infinity], ['<f4', '0x3fc00000', 1.5],
    ['<f8', 'AAAAAAAA+D8=', 1.5], ['<f2', '0x3e00', 1.5],
  ] // biome-ignore format: a table
  const V3: Readonly<Record<string, string>> = { b1: 'bool', u: 'uint', i: 'int', f: 'float' }
  const nameOf = (dtype: string) => V3[dtype.slice(1)] ?? `${V3[dtype[1] as string]}${8 * Number(dtype[2])}`

  it('of megabytes that is no number is refused at once', { timeout: 20_000 }, async (t) => {
    const container = await temporaryFolder(t)
    for (const text of [`${'1'.repeat(3e6)}x`, '1'.repeat(3e6), `${'1'.repeat(3e6)}.5e`]) {
      const common = { shape: [2], chunks: [2], compressor: null, filters: null, order: 'C' }
      const metadata = { zarr_format: 2, dtype: '<f8', fill_value: text, ...common }
      await writeFile(join(container, '.zarray'), JSON.stringify(metadata))
      await assert.rejects(format.open(container, ''), { code: 'INVALID_METADATA' })
    }
  })

  it('is the value that the writer meant, in both versions', async (t) => {
    const folder = await temporaryFolder(t)
    for (const [n, [dtype, text, value]] of cases.entries()) {
      const old = join(folder, `${n}-2.zarr`)
      const now = join(folder, `${n}-3.zarr`)
      await Promise.all([mkdir(old), mkdir(now)])
      const common = { shape: [2], fill_value: text }
      const zarray = { zarr_format: 2, ...common, chunks: [2], dtype, compressor: null, filters: null, order: 'C' }
      const v3 = { zarr_format: 3, node_type: 'array', ...common, data_type: nameOf(dtype), attributes: {} }
      const grid = { name: 'regular', configuration: { chunk_shape: [2] } }
      const codecs = [{ name: 'bytes', configuration: { endian: 'little' } }]
      await writeFile(join(old, '.zarray'), JSON.stringify(zarray))
      await writeFile(
        join(now, 'zarr.json'),
        JSON.stringify({ ...v3, chunk_grid: grid, chunk_key_encoding: { name: 'default' }, codecs }),
      )
      for (const container of [old, now]) {
        await using array = await format.open(container, '')
        assert.deepEqual(array.fillValue, value, `${container}: ${dtype} ${text}`)
      }
    }
  })

  it('is refused where it is no value of the type', async (t) => {
    for (const [dtype, text] of [
      ['|u1', '256'],
      ['|u1', '-1'],
      ['<i2', '1.5'],
      ['<f4', 'blue'],
      ['|u1', 'NaN'],
      ['<u2', ''],
    ]) {
      const container = await image(t, { axes: space() }, { zarray: { dtype, fill_value: text } })
      await assert.rejects(format.open(container, '0'), { code: 'INVALID_METADATA' }, `${dtype} ${text}`)
    }
  })
})

describe('a chunk in Zstandard', () => {
  const bytes = Buffer.from(Uint8Array.from({ length: 64 }, (_, i) => i))
  const frame = (from: number, to: number) => zlib.zstdCompressSync(bytes.subarray(from, to))
  const skipped = (length: number, kind = 3) => {
    const head = Buffer.alloc(8)
    head.writeUInt32LE(0x184d2a50 + kind)
    head.writeUInt32LE(length, 4)
    return Buffer.concat([head, Buffer.alloc(length, 0xee)])
  }
  /** Without the size of its content: written as a stream. */
  const streamed = async () => {
    const stream = zlib.createZstdCompress()
    stream.write(bytes.subarray(0, 10))
    stream.end(bytes.subarray(10))
    return Buffer.concat(await stream.toArray())
  }
  const zarray = { compressor: { id: 'zstd', level: 1 } }
  const axes = space()

  const chunks: readonly (readonly [string, () => Buffer | Promise<Buffer>])[] = [
    ['two frames', () => Buffer.concat([frame(0, 32), frame(32, 64)])],
    ['many frames', () => Buffer.concat(Array.from(bytes, (_, i) => frame(i, i + 1)))],
    ['an empty frame between others', () => Buffer.concat([frame(0, 9), frame(0, 0), frame(9, 64)])],
    ['a skipped frame first', () => Buffer.concat([skipped(5), frame(0, 64)])],
    ['a skipped frame last', () => Buffer.concat([frame(0, 64), skipped(0, 15)])],
    [
      'skipped frames all over',
      () => Buffer.concat([skipped(1, 0), frame(0, 5), skipped(9), skipped(2), frame(5, 64)]),
    ],
    ['a frame without the size of its content', streamed],
  ]
  for (const [name, make] of chunks) {
    it(`may be ${name}`, async (t) => {
      await opened(t, { axes, datasets: level(scale(1, 1, 1)) }, { zarray, chunk: await make() })
    })
  }

  const broken: readonly (readonly [string, Buffer])[] = [
    ['one frame too few', frame(0, 32)],
    ['one frame too many', Buffer.concat([frame(0, 64), frame(0, 1)])],
    ['bytes after its end', Buffer.concat([frame(0, 64), Buffer.of(1, 2, 3, 4)])],
    ['a second frame that is truncated', Buffer.concat([frame(0, 32), frame(32, 64).subarray(0, -3)])],
    ['a skipped frame that is truncated', Buffer.concat([frame(0, 64), skipped(9).subarray(0, -1)])],
    ['only a skipped frame', skipped(64)],
  ]
  for (const [name, chunk] of broken) {
    it(`D4: is corrupt with ${name}`, async (t) => {
      await using array = await format.open(await image(t, { axes }, { zarray, chunk }), '0')
      const reading = array.readVoxels(roi([0, 0, 0], [4, 4, 4]), new Uint8Array(64))
      await assert.rejects(reading, { name: 'InfrastructureError', code: 'CORRUPT_DATA' })
    })
  }
})
