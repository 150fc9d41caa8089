import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { arrayStore, createArray, openArray } from '../../../src/entry/arrays.ts'
import { runBlockwise } from '../../../src/entry/run.ts'
import { convert } from '../../../src/tasks/convert.ts'
import { smooth } from '../../../src/tasks/smooth.ts'
import { pythonOrSkip, runPython } from '../../support/python.ts'
import { temporaryFolder } from '../../support/zarr.ts'

const SIZES: Readonly<Record<string, number>> = { t: 2, c: 3, z: 4, y: 5, x: 6 }
const TYPES: Readonly<Record<string, string>> = { t: 'time', c: 'channel' }

/** An OME-Zarr image with its axes in this order, whose voxels count up in the order of storage. */
async function image(folder: string, axes: string): Promise<string> {
  const container = join(folder, `${axes}.zarr`)
  const names = [...axes]
  const shape = names.map((name) => SIZES[name] as number)
  await mkdir(join(container, '0'), { recursive: true })
  const zarray = {
    zarr_format: 2,
    shape,
    chunks: shape,
    dtype: '<u2',
    compressor: null,
    fill_value: 0,
    order: 'C',
    filters: null,
  }
  const scale = names.map((name) => (name === 'c' ? 1 : name === 't' ? 2 : 4))
  const level = { path: '0', coordinateTransformations: [{ type: 'scale', scale }] }
  const described = names.map((name) => ({
    ...{ name, type: TYPES[name] ?? 'space' },
    ...(name === 'c' ? {} : { unit: name === 't' ? 'second' : 'nanometer' }),
  }))
  const multiscales = [{ version: '0.4', axes: described, datasets: [level] }]
  const count = shape.reduce((product, length) => product * length, 1)
  await writeFile(join(container, '.zgroup'), '{"zarr_format": 2}')
  await writeFile(join(container, '.zattrs'), JSON.stringify({ multiscales }))
  await writeFile(join(container, '0', '.zarray'), JSON.stringify(zarray))
  await writeFile(
    join(container, '0', shape.map(() => 0).join('.')),
    Uint16Array.from({ length: count }, (_, i) => i),
  )
  return `${container}/0`
}

/** The number of a voxel in the order of storage. */
const numberOf = (axes: string, at: Readonly<Record<string, number>>): number =>
  [...axes].reduce((number, name) => number * (SIZES[name] as number) + (at[name] as number), 0)

describe('a volume whose channels are not stored first', () => {
  for (const axes of ['zyxc', 'tczyx', 'tzyxc', 'zcyx', 'yxc', 'tczy', 'czyx', 'tzyx']) {
    it(`has them first in memory, and every voxel in its place: ${axes}`, async (t) => {
      await using volume = await openArray(await image(await temporaryFolder(t), axes))
      const order = [...axes].sort((a, b) => Number(b === 'c') - Number(a === 'c'))
      const hasChannels = axes.includes('c')
      assert.deepEqual(
        [volume.axes.map(({ name }) => name), volume.shape, volume.channelAxes],
        [order, order.map((name) => SIZES[name]), hasChannels ? 1 : 0],
      )
      const { data, shape } = await volume.read(volume.roi)
      const read = await volume.read({
        offset: volume.offset.map((at, i) => at + (volume.voxelSize[i] as number)),
        shape: volume.voxelSize,
      })
      assert.deepEqual(shape, volume.shape)
      for (let i = 0; i < data.length; i++) {
        const at: Record<string, number> = {}
        let rest = i
        for (const name of [...order].reverse()) {
          at[name] = rest % (SIZES[name] as number)
          rest = Math.floor(rest / (SIZES[name] as number))
        }
        assert.equal(data[i], numberOf(axes, at))
      }
      // One voxel, with all channels.
      const one = Object.fromEntries(order.map((name) => [name, 1]))
      const channels = hasChannels ? [0, 1, 2] : [1]
      assert.deepEqual(
        [...read.data],
        channels.map((c) => numberOf(axes, { ...one, c })),
      )
    })

    it(`is converted with the same voxels and placement: ${axes}`, async (t) => {
      const folder = await temporaryFolder(t)
      const input = await image(folder, axes)
      const output = join(folder, 'out.zarr/a')
      await runBlockwise([convert({ input, output, zarrFormat: 2 })], { pool: 'inline', runDir: join(folder, 'runs') })
      await using from = await openArray(input)
      await using to = await openArray(output)
      assert.deepEqual(await to.read(to.roi), await from.read(from.roi))
      assert.deepEqual(
        [to.axes.map(({ name }) => name), to.voxelSize],
        [from.axes.map(({ name }) => name), from.voxelSize],
      )
      // As OME-NGFF wants it: time, channels, space.
      await using stored = await arrayStore.open(output)
      const wanted = [...axes].sort((x, y) => 'tczyx'.indexOf(x) - 'tczyx'.indexOf(y))
      assert.deepEqual(
        stored.axes.map(({ name }) => name),
        wanted,
      )
    })
  }

  it('is written where it is read, in parts that cut chunks', async (t) => {
    const folder = await temporaryFolder(t)
    await using like = await openArray(await image(folder, 'tczyx'))
    await using volume = await createArray(join(folder, 'out.zarr/a'), { like, chunkShape: [2, 1, 3, 2, 4] })
    assert.deepEqual(
      [volume.shape, volume.chunkShape],
      [
        [3, 2, 4, 5, 6],
        [2, 1, 3, 2, 4],
      ],
    )
    const { data } = await like.read(like.roi)
    const half = { offset: like.offset, shape: like.roi.shape.with(1, 2 * 4) }
    const rest = { offset: like.offset.with(1, (like.offset[1] as number) + 2 * 4), shape: half.shape }
    for (const region of [rest, half]) await volume.write(region, await like.read(region))
    assert.deepEqual((await volume.read(volume.roi)).data, data)
  })
})

describe('channels of HDF5', () => {
  it('are found by dimension labels, axistags and names, and never smoothed across', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    const folder = await temporaryFolder(t)
    await runPython(python, new URL('../../adapters/hdf5/make-channels.py', import.meta.url), [folder])
    const names = [
      'labels-last',
      'labels-words',
      'tags-last',
      'tags-time',
      'tags-middle',
      'tags-plane',
      'placed',
      'fiji',
      'names',
      'leading',
    ]
    for (const name of names) {
      const input = join(folder, 'channels.h5', name)
      const output = join(folder, `${name}.zarr`, 'smoothed')
      await runBlockwise([smooth({ input, output, sigma: 2, mode: 'nearest' })], {
        pool: 'inline',
        runDir: join(folder, 'runs'),
      })
      await using volume = await openArray(output)
      const { data, shape } = await volume.read(volume.roi)
      const leading = volume.axes.findIndex((axis) => axis.name.startsWith('c'))
      assert.ok(leading >= 0 && leading < volume.channelAxes, name)
      const inner = shape.slice(leading + 1).reduce((product, length) => product * length, 1)
      const isRight = (value: number, i: number) => Math.abs(value - 100 * (Math.floor(i / inner) % 3)) < 1e-3
      assert.ok((data as Float32Array).every(isRight), name)
    }
    const placed = async (name: string) => {
      await using volume = await openArray(join(folder, 'channels.h5', name))
      return [volume.voxelSize, volume.offset]
    }
    assert.deepEqual(await placed('placed'), [
      [40, 4, 4],
      [80, 0, 8],
    ])
    assert.deepEqual(await placed('fiji'), [
      [2000, 500, 500],
      [0, 0, 0],
    ])
    assert.deepEqual(await placed('names'), [
      [40, 4, 4],
      [0, 0, 0],
    ])
  })
})
