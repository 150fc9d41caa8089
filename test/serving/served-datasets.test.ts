// Needs a build: it serves the built pages.
import assert from 'node:assert/strict'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { bytesOf, type DType, typedArray } from '../../src/core/array/dtype.ts'
import { createArray, openArray } from '../../src/entry/arrays.ts'
import { startViewer } from '../../src/entry/pages/viewer-server.ts'
import type { CreateVolumeOptions } from '../../src/runtime/volumes/create-volume.ts'
import { servedChunkShape } from '../../src/serving/virtual-zarr.ts'
import { temporaryFolder } from '../support/command-line.ts'
import { noise } from '../support/zarr.ts'

const shape = [5, 20, 30]
const count = 5 * 20 * 30

/** The server provides Zarr for any reader, so Bellis reads it over http. */
describe('a dataset that is served', () => {
  const folder = temporaryFolder()
  after(() => folder[Symbol.dispose]())
  const path = (name: string) => join(folder.path, name)

  async function make(name: string, options: Omit<CreateVolumeOptions, 'shape'> & { readonly dtype: DType }) {
    const data = noise(options.dtype, count, 9)
    const array = await createArray(path(name), { shape, chunkShape: [2, 8, 16], ...options })
    await array.write(array.roi, data)
    await array.close()
    return data
  }

  it('keeps the values of every element type, unchanged or in the nearest type that the page can draw', async () => {
    const served: Record<string, DType> = {
      ...{
        bool: 'uint8',
        int8: 'int8',
        int16: 'int16',
        int32: 'int32',
        int64: 'float32',
        uint8: 'uint8',
        uint16: 'uint16',
      },
      ...{ uint32: 'uint32', uint64: 'uint64', float16: 'float32', float32: 'float32', float64: 'float32' },
    }
    for (const [dtype, wanted] of Object.entries(served)) {
      const data = await make(`types.zarr/${dtype}`, { dtype: dtype as DType })
      await using viewer = await startViewer([{ path: path(`types.zarr/${dtype}`), kind: 'image' }])
      await using array = await openArray(`${viewer.address}data/0/0`)
      assert.equal(array.dtype, wanted, dtype)
      const read = await array.read(array.roi)
      const expected = typedArray(wanted, count)
      for (let i = 0; i < count; i++) expected[i] = wanted === 'uint64' ? (data[i] as bigint) : Number(data[i])
      assert.ok(
        read.data.every((value, i) => Object.is(value, expected[i])),
        dtype,
      )
    }
  })

  it('has the placement that the user gives it', async () => {
    const data = await make('placed.zarr/raw', { dtype: 'uint16', voxelSize: [2, 2, 2] })
    await using viewer = await startViewer([{ path: `${path('placed.zarr/raw')}#voxel-size=40,5,4&offset=80,0,8` }])
    assert.equal(viewer.view.layers[0]?.path, path('placed.zarr/raw'))
    await using array = await openArray(`${viewer.address}data/0`)
    assert.deepEqual(
      [array.voxelSize, array.offset],
      [
        [40, 5, 4],
        [80, 0, 8],
      ],
    )
    assert.deepEqual((await array.read(array.roi)).data, data)
    const status = (await (await fetch(`${viewer.address}status.json`)).json()) as { readonly missing: unknown }
    assert.deepEqual(status.missing, [])
  })

  it('keeps the bits of 64-bit labels, including signed ones', async () => {
    const data = await make('signed.zarr', { dtype: 'int64' })
    await using viewer = await startViewer([{ path: path('signed.zarr') }])
    assert.equal(viewer.view.layers[0]?.kind, 'segmentation')
    await using array = await openArray(`${viewer.address}data/0/0`)
    assert.equal(array.dtype, 'uint64')
    assert.equal(Buffer.compare(bytesOf((await array.read(array.roi)).data), bytesOf(data)), 0)
  })

  it('is served unchanged if the page can read it, and otherwise with chunks made for the page', async () => {
    const cases: [string, Parameters<typeof make>[1], boolean][] = [
      ['zstd', { dtype: 'uint8' }, true],
      ['sharded', { dtype: 'uint16', shardShape: [4, 16, 32] }, true],
      ['blosc', { dtype: 'float32', codec: 'blosc-lz4', zarrFormat: 2 }, true],
      ['lz4', { dtype: 'uint8', codec: 'lz4', zarrFormat: 2 }, false],
      ['double', { dtype: 'float64' }, false],
      ['fill', { dtype: 'uint64', fillValue: 2n ** 64n - 1n }, false],
    ]
    for (const [name, options, asItLies] of cases) {
      const dataset = `lies${options.zarrFormat ?? 3}.zarr/${name}`
      await make(dataset, options)
      await using viewer = await startViewer([{ path: path(dataset), kind: 'image' }])
      assert.equal(viewer.view.layers[0]?.zarrFormat, asItLies ? (options.zarrFormat ?? 3) : 3, name)
      await using served = await openArray(`${viewer.address}data/0/0`)
      await using stored = await openArray(path(dataset))
      assert.equal(served.codecs.join() === stored.codecs.join(), asItLies, name)
      const [values, expected] = [(await served.read(served.roi)).data, (await stored.read(stored.roi)).data]
      assert.ok(
        values.every((value, i) => Object.is(Number(value), Math.fround(Number(expected[i]))) || value === expected[i]),
        name,
      )
    }
  })

  it('keeps its values if it is big-endian, or Zarr 2 without a fill value', async () => {
    const big = path('big.zarr')
    mkdirSync(big)
    const values = Buffer.alloc(2 * 4 * 6)
    for (let i = 0; i < 24; i++) values.writeUInt16BE(1000 + i, 2 * i)
    const common = { zarr_format: 2, shape: [4, 6], chunks: [4, 6], compressor: null, order: 'C', filters: null }
    writeFileSync(join(big, '.zarray'), JSON.stringify({ ...common, dtype: '>u2', fill_value: 0 }))
    writeFileSync(join(big, '0.0'), values)
    const bare = path('bare.zarr')
    mkdirSync(bare)
    const ids = BigUint64Array.from({ length: 24 }, (_, i) => 2n ** 60n + BigInt(i))
    writeFileSync(join(bare, '.zarray'), JSON.stringify({ ...common, dtype: '<u8', fill_value: null }))
    writeFileSync(join(bare, '0.0'), bytesOf(ids))
    await using viewer = await startViewer([{ path: big }, { path: bare }])
    assert.deepEqual(
      viewer.view.layers.map((layer) => layer.zarrFormat),
      [3, 3],
    )
    await using first = await openArray(`${viewer.address}data/0/0`)
    await using second = await openArray(`${viewer.address}data/1/0`)
    assert.deepEqual(
      [...(await first.read(first.roi)).data],
      Array.from({ length: 24 }, (_, i) => 1000 + i),
    )
    assert.deepEqual([...(await second.read(second.roi)).data], [...ids])
  })

  it('keeps its placement exactly: voxel size, unit and offset', async () => {
    const place = { voxelSize: [50_000, 4600, 4600], offset: [-350_000, 460_000, 2300], unit: 'pm' } as const
    for (const zarrFormat of [2, 3] as const) {
      await make(`placed${zarrFormat}.zarr/raw`, { dtype: 'uint8', zarrFormat, ...place })
      await using viewer = await startViewer([{ path: path(`placed${zarrFormat}.zarr/raw`) }])
      await using array = await openArray(`${viewer.address}data/0`)
      assert.deepEqual(
        {
          voxelSize: array.voxelSize,
          offset: array.offset,
          unit: array.unit,
          names: array.axes.map(({ name }) => name),
        },
        { ...place, names: ['z', 'y', 'x'] },
      )
    }
  })

  it('is served with all levels of its pyramid', async () => {
    const group = path('pyramid.zarr')
    await make('pyramid.zarr/s0', { dtype: 'float64', voxelSize: [8, 4, 4] })
    const array = await createArray(join(group, 's1'), { shape: [5, 10, 15], dtype: 'float64', voxelSize: [8, 8, 8] })
    await array.write(array.roi, noise('float64', 750, 4))
    await array.close()
    const level = (path: string, scale: number[]) => ({ path, coordinateTransformations: [{ type: 'scale', scale }] })
    const axes = ['z', 'y', 'x'].map((name) => ({ name, type: 'space', unit: 'nanometer' }))
    const multiscales = [{ axes, datasets: [level('s0', [8, 4, 4]), level('s1', [8, 8, 8])] }]
    const attributes = { ome: { version: '0.5', multiscales } }
    writeFileSync(join(group, 'zarr.json'), JSON.stringify({ zarr_format: 3, node_type: 'group', attributes }))
    await using viewer = await startViewer([{ path: group }])
    assert.equal(viewer.view.coarsest, 2)
    await using coarse = await openArray(`${viewer.address}data/0/1`)
    assert.deepEqual(coarse.shape, [5, 10, 15])
    const served = (await (await fetch(`${viewer.address}data/0/zarr.json`)).json()) as {
      attributes: { ome: { multiscales: [{ datasets: { coordinateTransformations: unknown }[] }] } }
    }
    // Levels without a translation start at 0; the page needs the centre of voxel 0.
    assert.deepEqual(
      served.attributes.ome.multiscales[0].datasets.map((one) => one.coordinateTransformations),
      [
        [
          { type: 'scale', scale: [8, 4, 4] },
          { type: 'translation', translation: [4, 2, 2] },
        ],
        [
          { type: 'scale', scale: [8, 8, 8] },
          { type: 'translation', translation: [4, 4, 4] },
        ],
      ],
    )
  })

  it('has the pyramid of its group, from the requested level on', async () => {
    const labels = { dtype: 'uint32', voxelSize: [8, 4, 4] } as const
    await make('both.zarr/raw', { dtype: 'uint8', voxelSize: [8, 4, 4] })
    await make('both.zarr/ids', labels)
    for (const [name, levelOf, factor] of [
      ['ids_s1', 'ids', 2],
      ['ids_s2', 'ids', 4],
    ] as const) {
      const voxelSize = [8, 4 * factor, 4 * factor]
      const level = { ...labels, voxelSize, shape: [5, Math.ceil(20 / factor), Math.ceil(30 / factor)], levelOf }
      await (await createArray(path(`both.zarr/${name}`), level)).close()
    }
    const levelsOf = async (name: string): Promise<number> => {
      await using viewer = await startViewer([{ path: path(`both.zarr/${name}`) }])
      const group = (await (await fetch(`${viewer.address}data/0/zarr.json`)).json()) as {
        attributes: { ome: { multiscales: [{ datasets: unknown[] }] } }
      }
      return group.attributes.ome.multiscales[0].datasets.length
    }
    assert.deepEqual([await levelsOf('raw'), await levelsOf('ids'), await levelsOf('ids_s1')], [1, 3, 2])
  })

  it('is inspected quickly however large it is, and reported as missing when it is gone', async () => {
    const huge = await createArray(path('huge.zarr'), { shape: [100_000, 200_000, 300_000], dtype: 'uint8' })
    await huge.close()
    // Inspecting all its chunks would take far too long.
    await using viewer = await startViewer([{ path: path('huge.zarr') }])
    const missing = async () =>
      ((await (await fetch(`${viewer.address}status.json`)).json()) as { missing: string[] }).missing
    assert.deepEqual(await missing(), [])
    rmSync(path('huge.zarr'), { recursive: true })
    assert.deepEqual(await missing(), ['huge.zarr'])
  })

  it('is shown without its corrupt chunks, which are reported, unless all its chunks are corrupt', async () => {
    await make('torn.zarr', { dtype: 'uint8' })
    for (const z of [0, 1]) writeFileSync(path(`torn.zarr/c/${z}/1/0`), 'nothing of the kind')
    const errors: unknown[] = []
    await using viewer = await startViewer([{ path: path('torn.zarr') }], { onError: (error) => errors.push(error) })
    assert.equal(viewer.view.layers[0]?.kind, 'image')
    assert.match(String(errors[0]), /torn\.zarr\/c\/\d\/1\/0 is corrupt/)
    await make('ruin.zarr', { dtype: 'uint8' })
    for (const z of [0, 1, 2]) {
      for (const y of [0, 1, 2]) for (const x of [0, 1]) writeFileSync(path(`ruin.zarr/c/${z}/${y}/${x}`), 'nothing')
    }
    await assert.rejects(startViewer([{ path: path('ruin.zarr') }]), /is corrupt/)
  })

  it('answers a request for a corrupt chunk with an error, which is reported on the server', async () => {
    await make('corrupt.zarr', { dtype: 'float64', codec: 'gzip' })
    const errors: unknown[] = []
    await using viewer = await startViewer([{ path: path('corrupt.zarr') }], { onError: (error) => errors.push(error) })
    for (const z of [0, 1, 2]) writeFileSync(path(`corrupt.zarr/c/${z}/0/0`), 'nothing of the kind')
    const response = await fetch(`${viewer.address}data/0/0/c/0/0/0`)
    assert.equal(response.status, 500)
    assert.match(String(errors[0]), /is corrupt/)
  })
})

describe('the chunks that are made for the page', () => {
  it('are the stored chunks, except very large and very small ones', () => {
    const of = (shape: readonly number[], chunkShape: readonly number[]) => servedChunkShape({ shape, chunkShape }, 1)
    assert.deepEqual(of([1000, 1000, 1000], [64, 64, 64]), [64, 64, 64])
    assert.deepEqual(of([100, 10_000, 10_000], [1, 10_000, 10_000]), [1, 1250, 1250])
    assert.deepEqual(of([100, 1000, 1000], [1, 32, 32]), [32, 32, 64])
    assert.deepEqual(of([3, 10, 10], [1, 10, 10]), [3, 10, 10])
  })
})
