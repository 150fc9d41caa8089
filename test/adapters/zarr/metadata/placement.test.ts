import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { zarrFormat } from '../../../../src/adapters/zarr/zarr-format.ts'
import { placeAxes } from '../../../../src/core/geometry/placement.ts'
import type { ArrayAxis, CreateArrayOptions } from '../../../../src/ports/chunked-array.ts'
import { temporaryFolder } from '../../../support/zarr.ts'

const format = zarrFormat()
const json = async (...path: string[]) => JSON.parse(await readFile(join(...path), 'utf8'))
const raw: CreateArrayOptions = { shape: [4, 4, 4], dtype: 'uint8', chunkShape: [4, 4, 4] }
const spatial = (name: string, scale: number, translation: number): ArrayAxis => ({
  name,
  type: 'space',
  unit: 'nanometer',
  scale,
  translation,
  translationOf: 'edge',
})
const axes = [spatial('z', 50, 100), spatial('y', 4.6, 2.3), spatial('x', 0.4, 0.1)]

/** An array made by another tool: a Zarr 2 folder with these attributes. */
async function foreign(folder: string, inner: string, shape: readonly number[], attributes: object): Promise<string> {
  const container = join(folder, 'foreign.zarr')
  await format.create(container, inner, { shape, dtype: 'uint8', zarrFormat: 2, ifExists: 'replace' })
  await writeFile(join(container, inner, '.zattrs'), JSON.stringify(attributes))
  return container
}

async function group(container: string, path: string, attributes: object, zarrFormat: 2 | 3): Promise<void> {
  const folder = join(container, path)
  await mkdir(folder, { recursive: true })
  if (zarrFormat === 3) {
    await writeFile(join(folder, 'zarr.json'), JSON.stringify({ zarr_format: 3, node_type: 'group', attributes }))
    return
  }
  await writeFile(join(folder, '.zgroup'), JSON.stringify({ zarr_format: 2 }))
  await writeFile(join(folder, '.zattrs'), JSON.stringify(attributes))
}

describe('the placement of a new array', () => {
  it('is read back exactly, in both versions', async (t) => {
    const folder = await temporaryFolder(t)
    for (const zarrFormat of [2, 3] as const) {
      const array = await format.create(join(folder, `${zarrFormat}.zarr`), 'volumes/raw', { ...raw, axes, zarrFormat })
      assert.deepEqual(placeAxes(array.axes), placeAxes(axes))
      assert.deepEqual(placeAxes(array.axes).voxelSize, [50_000, 4600, 400])
      assert.deepEqual(placeAxes(array.axes).offset, [100_000, 2300, 100])
      assert.deepEqual(
        array.axes.map((axis) => axis.name),
        ['z', 'y', 'x'],
      )
    }
  })

  it('has its offset in time at the start of a frame, and is read back so', async (t) => {
    const folder = await temporaryFolder(t)
    const time: ArrayAxis = {
      name: 't',
      type: 'time',
      unit: 'second',
      scale: 0.5,
      translation: 1,
      translationOf: 'edge',
    }
    for (const zarrFormat of [2, 3] as const) {
      const options = { shape: [2, 4, 4, 4], dtype: 'uint8', axes: [time, ...axes], zarrFormat } as const
      const container = join(folder, `${zarrFormat}.zarr`)
      const array = await format.create(container, 'film', options)
      assert.deepEqual(array.axes[0], time)
      assert.deepEqual(placeAxes(array.axes), placeAxes([time, ...axes]))
      const { multiscales } =
        zarrFormat === 2 ? await json(container, '.zattrs') : (await json(container, 'zarr.json')).attributes.ome
      assert.equal(multiscales[0].datasets[0].coordinateTransformations[1].translation[0], 1)
    }
  })

  it('is written as the attributes of the field, of OME and of Neuroglancer, with short decimals', async (t) => {
    const folder = await temporaryFolder(t)
    for (const zarrFormat of [2, 3] as const) {
      const container = join(folder, `${zarrFormat}.zarr`)
      await format.create(container, 'volumes/raw', { ...raw, axes, zarrFormat })
      const attributes =
        zarrFormat === 2
          ? await json(container, 'volumes/raw/.zattrs')
          : (await json(container, 'volumes/raw/zarr.json')).attributes
      assert.deepEqual(attributes.resolution, [50, 4.6, 0.4])
      assert.deepEqual(attributes.voxel_size, [50, 4.6, 0.4])
      assert.deepEqual(attributes.offset, [100, 2.3, 0.1])
      assert.deepEqual(attributes.units, ['nm', 'nm', 'nm'])
      assert.deepEqual(attributes.axis_names, ['z', 'y', 'x'])
      assert.deepEqual(attributes.dimension_units, ['50 nm', '4.6 nm', '0.4 nm'])
      const parent =
        zarrFormat === 2
          ? await json(container, 'volumes/.zattrs')
          : (await json(container, 'volumes/zarr.json')).attributes.ome
      const [multiscale] = parent.multiscales
      assert.equal(zarrFormat === 2 ? multiscale.version : parent.version, zarrFormat === 2 ? '0.4' : '0.5')
      assert.deepEqual(
        multiscale.axes,
        ['z', 'y', 'x'].map((name) => ({ name, type: 'space', unit: 'nanometer' })),
      )
      // The centre of the first voxel: 0.1 + 0.4 / 2 is 0.3, not 0.30000000000000004.
      assert.deepEqual(multiscale.datasets, [
        {
          path: 'raw',
          coordinateTransformations: [
            { type: 'scale', scale: [50, 4.6, 0.4] },
            { type: 'translation', translation: [125, 4.6, 0.3] },
          ],
        },
      ])
      const names =
        zarrFormat === 2
          ? attributes._ARRAY_DIMENSIONS
          : (await json(container, 'volumes/raw/zarr.json')).dimension_names
      assert.deepEqual(names, ['z', 'y', 'x'])
    }
  })

  it('adds one entry per array to a group, and keeps what others wrote there', async (t) => {
    const container = join(await temporaryFolder(t), 'a.zarr')
    await group(container, '', { mine: 1, ome: { version: '0.5', omero: { id: 3 }, multiscales: [] } }, 3)
    for (const name of ['raw', 'labels', 'raw']) {
      const array = await format.create(container, name, { ...raw, axes, ifExists: 'replace' })
      assert.equal(array.axes[0]?.translation, 125)
    }
    const { attributes } = await json(container, 'zarr.json')
    assert.deepEqual([attributes.mine, attributes.ome.omero], [1, { id: 3 }])
    assert.deepEqual(
      attributes.ome.multiscales.map((entry: { name: string }) => entry.name),
      ['raw', 'labels'],
    )
    await format.create(container, 'raw', { ...raw, ifExists: 'replace' })
    const after = (await json(container, 'zarr.json')).attributes.ome.multiscales
    assert.deepEqual(
      after.map((entry: { name: string }) => entry.name),
      ['labels'],
    )
  })

  it('changes only its own level of a pyramid, and no other level', async (t) => {
    const container = join(await temporaryFolder(t), 'a.zarr')
    const level = (path: string) => ({ path, coordinateTransformations: [{ type: 'scale', scale: [1, 1, 1] }] })
    const entry = { name: 'em', axes: ['z', 'y', 'x'], datasets: [level('s0'), level('s1')] }
    await group(container, '', { ome: { version: '0.5', multiscales: [entry] } }, 3)
    const finest = await format.create(container, 's0', {
      ...raw,
      axes: axes.map((axis) => ({ ...axis, scale: 1, translation: 0 })),
    })
    await format.create(container, 's1', { ...raw, axes })
    const [after, ...more] = (await json(container, 'zarr.json')).attributes.ome.multiscales
    assert.deepEqual([more.length, after.name, after.datasets.length], [0, 'em', 2])
    assert.deepEqual(after.datasets[1].coordinateTransformations[0].scale, [50, 4.6, 0.4])
    const again = await format.open(container, 's0')
    assert.deepEqual(placeAxes(again.axes), placeAxes(finest.axes))
  })

  it('adds a coarser array to the pyramid of the array beside it, finest first, in both versions', async (t) => {
    for (const zarrFormat of [2, 3] as const) {
      const container = join(await temporaryFolder(t), 'a.zarr')
      const options = { ...raw, zarrFormat }
      for (const name of ['raw', 'other', 'raw_s2', 'raw_s1'])
        await format.create(container, name, { ...options, axes })
      const coarser = (factor: number) => axes.map((axis) => ({ ...axis, scale: (axis.scale ?? 1) * factor }))
      for (const [name, factor] of [
        ['raw_s2', 4],
        ['raw_s1', 2],
      ] as const) {
        await format.create(container, name, { ...options, axes: coarser(factor), levelOf: 'raw', ifExists: 'replace' })
      }
      const { multiscales } =
        zarrFormat === 2 ? await json(container, '.zattrs') : (await json(container, 'zarr.json')).attributes.ome
      assert.deepEqual(
        multiscales.map((entry: { name: string; datasets: { path: string }[] }) => [
          entry.name,
          entry.datasets.map(({ path }) => path),
        ]),
        [
          ['raw', ['raw', 'raw_s1', 'raw_s2']],
          ['other', ['other']],
        ],
      )
      // The centre of the first voxel of each level. All levels start at the same edge.
      assert.deepEqual(multiscales[0].datasets[2].coordinateTransformations, [
        { type: 'scale', scale: [200, 18.4, 1.6] },
        { type: 'translation', translation: [200, 11.5, 0.9] },
      ])
      for (const name of ['raw', 'raw_s1', 'raw_s2']) {
        assert.deepEqual(placeAxes((await format.open(container, name)).axes).offset, [100_000, 2300, 100], name)
      }
    }
  })

  it('adds a level to a pyramid of another tool that is placed only as a whole, in µm and without translations', async (t) => {
    const container = join(await temporaryFolder(t), 'a.zarr')
    const scale = (...values: number[]) => ({ type: 'scale', scale: values })
    const entry = {
      name: 'em',
      type: 'gaussian',
      axes: ['z', 'y', 'x'].map((name) => ({ name, type: 'space', unit: 'micrometer' })),
      datasets: [{ path: '0', coordinateTransformations: [scale(1, 1, 1)] }],
      coordinateTransformations: [scale(0.04, 0.0046, 0.0046)],
    }
    await group(container, '', { ome: { version: '0.5', multiscales: [entry] } }, 3)
    await format.create(container, '0', { shape: [4, 4, 4], dtype: 'uint8' })
    await group(container, '', { ome: { version: '0.5', multiscales: [entry] } }, 3)
    const before = placeAxes((await format.open(container, '0')).axes)
    assert.deepEqual(before.voxelSize, [40_000, 4600, 4600])
    const level = [spatial('z', 80, 0), spatial('y', 9.2, 0), spatial('x', 9.2, 0)]
    await format.create(container, '1', { shape: [2, 2, 2], dtype: 'uint8', axes: level, levelOf: '0' })
    assert.deepEqual(placeAxes((await format.open(container, '0')).axes), before)
    assert.deepEqual(placeAxes((await format.open(container, '1')).axes), placeAxes(level))
    const [after] = (await json(container, 'zarr.json')).attributes.ome.multiscales
    assert.deepEqual([after.name, after.type, after.coordinateTransformations], ['em', 'gaussian', undefined])
  })

  it('marks channels, which have no voxel size, and omits the OME attributes if OME does not support the axes', async (t) => {
    const container = join(await temporaryFolder(t), 'a.zarr')
    const channel: ArrayAxis = { name: 'c', type: 'channel' }
    const array = await format.create(container, 'affinities', {
      shape: [3, 4, 4, 4],
      dtype: 'uint8',
      axes: [channel, ...axes],
    })
    assert.deepEqual(placeAxes(array.axes), { ...placeAxes(axes), channelAxes: 1 })
    const { attributes } = await json(container, 'affinities/zarr.json')
    assert.deepEqual(attributes.axis_names, ['c^', 'z', 'y', 'x'])
    assert.deepEqual(attributes.types, ['channel', 'space', 'space', 'space'])
    assert.deepEqual(attributes.resolution, [50, 4.6, 0.4])
    assert.deepEqual(
      (await json(container, 'zarr.json')).attributes.ome.multiscales[0].datasets[0].coordinateTransformations[0].scale,
      [1, 50, 4.6, 0.4],
    )

    const line = await format.create(container, 'line', { shape: [4], dtype: 'uint8', axes: [spatial('x', 4.6, 2.3)] })
    assert.deepEqual(placeAxes(line.axes), { channelAxes: 0, voxelSize: [4600], offset: [2300], unit: 'pm' })
    assert.equal((await json(container, 'zarr.json')).attributes.ome.multiscales.length, 1)
  })
})

describe('the placement of arrays of other tools', () => {
  it('ignores lengths of megabytes, and units named like what every object has', { timeout: 20_000 }, async (t) => {
    const folder = await temporaryFolder(t)
    const long = [`${' '.repeat(1e6)}!`, `${'e'.repeat(1e6)}!`, `4 ${'n'.repeat(1e6)}`]
    const container = await foreign(folder, 'a', [4, 4, 4], { dimension_units: long })
    await using array = await format.open(container, 'a')
    assert.deepEqual(
      array.axes.map(({ scale }) => scale),
      [undefined, undefined, undefined],
    )
    const units = ['constructor', 'toString', 'valueOf']
    await foreign(folder, 'a', [4, 4, 4], { resolution: [1, 2, 3], units })
    await using odd = await format.open(container, 'a')
    assert.ok(odd.axes.every(({ unit }) => unit === undefined || typeof unit === 'string'))
    placeAxes(odd.axes)
  })

  it('is given by resolution and offset in nm for the last axes, with the leading axes as channels', async (t) => {
    const folder = await temporaryFolder(t)
    const container = await foreign(folder, 'raw', [4, 4, 4], { resolution: [40, 4, 4], offset: [400, 0, 8] })
    assert.deepEqual((await format.open(container, 'raw')).axes, [
      spatial('z', 40, 400),
      spatial('y', 4, 0),
      spatial('x', 4, 8),
    ])
    await foreign(folder, 'affs', [3, 4, 4, 4], { resolution: [40, 4, 4], offset: [400, 0, 8] })
    const { axes: channels, attributes } = await format.open(container, 'affs')
    assert.deepEqual(channels, [
      { name: 'c', type: 'channel' },
      spatial('z', 40, 400),
      spatial('y', 4, 0),
      spatial('x', 4, 8),
    ])
    assert.deepEqual(attributes, {})
  })

  it('is read as funlib.persistence writes it', async (t) => {
    const container = await foreign(await temporaryFolder(t), 'a', [2, 4, 4, 4], {
      voxel_size: [1, 50, 4, 4],
      offset: [0, 100, 8, 4],
      units: ['s', 'nm', 'um', 'nm'],
      axis_names: ['t', 'z', 'y', 'x'],
    })
    assert.deepEqual((await format.open(container, 'a')).axes, [
      { name: 't', type: 'time', unit: 'second', scale: 1, translation: 0, translationOf: 'edge' },
      spatial('z', 50, 100),
      { ...spatial('y', 4, 8), unit: 'micrometer' },
      spatial('x', 4, 4),
    ])
    await foreign(join(container, '..'), 'b', [4, 4, 2], {
      voxel_size: [8, 4],
      units: ['nm', 'nm'],
      axis_names: ['y', 'x', 'c^'],
    })
    assert.deepEqual(
      (await format.open(container, 'b')).axes.map(({ name, type, scale }) => [name, type, scale]),
      [
        ['y', 'space', 8],
        ['x', 'space', 4],
        ['c', 'channel', undefined],
      ],
    )
  })

  it('can be names only, or names with lengths', async (t) => {
    const folder = await temporaryFolder(t)
    const container = await foreign(folder, 'a', [4, 4], { _ARRAY_DIMENSIONS: ['lat', 'time'] })
    assert.deepEqual((await format.open(container, 'a')).axes, [
      { name: 'lat', type: 'space' },
      { name: 'time', type: 'time' },
    ])
    await foreign(folder, 'b', [4, 4, 4], {
      _ARRAY_DIMENSIONS: ['c', 'y', 'x'],
      dimension_units: [null, '4.6 nm', 'um'],
    })
    assert.deepEqual((await format.open(container, 'b')).axes, [
      { name: 'c', type: 'channel' },
      { name: 'y', type: 'space', scale: 4.6, unit: 'nanometer' },
      { name: 'x', type: 'space', scale: 1, unit: 'micrometer' },
    ])
    await foreign(folder, 'c', [4, 4], { unrelated: true })
    const bare = await format.open(container, 'c')
    assert.deepEqual(bare.axes, [
      { name: 'd0', type: 'space' },
      { name: 'd1', type: 'space' },
    ])
    assert.deepEqual(bare.attributes, { unrelated: true })
  })

  it('is read from an OME pyramid level by level, and combines the transformations of level and image exactly', async (t) => {
    const folder = await temporaryFolder(t)
    for (const zarrFormat of [2, 3] as const) {
      const container = join(folder, `${zarrFormat}.zarr`)
      for (const path of ['em/s0', 'em/deep/s1']) await format.create(container, path, { ...raw, zarrFormat })
      const multiscale = {
        version: '0.4',
        axes: [
          { name: 'z', type: 'space', unit: 'micrometer' },
          { name: 'y', type: 'space', unit: 'nanometer' },
          { name: 'x', type: 'space' },
        ],
        datasets: [
          { path: 's0', coordinateTransformations: [{ type: 'scale', scale: [0.05, 4.6, 1] }] },
          {
            path: 'deep/s1',
            coordinateTransformations: [
              { type: 'scale', scale: [0.1, 9.2, 2] },
              { type: 'translation', translation: [0.1, 2.3, 0.5] },
            ],
          },
        ],
        coordinateTransformations: [
          { type: 'scale', scale: [1, 3, 1] },
          { type: 'translation', translation: [0.2, 0, 0] },
        ],
      }
      await group(
        container,
        'em',
        zarrFormat === 2 ? { multiscales: [multiscale] } : { ome: { version: '0.5', multiscales: [multiscale] } },
        zarrFormat,
      )
      assert.deepEqual((await format.open(container, 'em/deep/s1')).axes, [
        { name: 'z', type: 'space', unit: 'micrometer', scale: 0.1, translation: 0.3, translationOf: 'center' },
        { name: 'y', type: 'space', unit: 'nanometer', scale: 27.6, translation: 6.9, translationOf: 'center' },
        { name: 'x', type: 'space', scale: 2, translation: 0.5, translationOf: 'center' },
      ])
      // A level without a translation, beside one that has it: the centre of its first voxel is the origin.
      const finest = await format.open(container, 'em')
      assert.deepEqual(
        [finest.path, finest.axes[1]?.translation, finest.axes[1]?.scale],
        [join(container, 'em/s0'), 0, 13.8],
      )
    }
  })

  it('starts at the edge if an OME image has no translation at all', async (t) => {
    const container = join(await temporaryFolder(t), 'a.zarr')
    await format.create(container, 's0', { ...raw, shape: [2, 4, 4, 4], chunkShape: [1, 4, 4, 4], zarrFormat: 2 })
    const multiscale = {
      axes: [
        { name: 'c', type: 'channel' },
        ...['z', 'y', 'x'].map((name) => ({ name, type: 'space', unit: 'nanometer' })),
      ],
      datasets: [{ path: 's0', coordinateTransformations: [{ type: 'scale', scale: [1, 40, 4, 4] }] }],
    }
    await group(container, '', { multiscales: [{ ...multiscale, version: '0.4' }] }, 2)
    const { axes: found } = await format.open(container, '')
    assert.deepEqual(found[0], { name: 'c', type: 'channel' })
    assert.deepEqual(placeAxes(found), { channelAxes: 1, voxelSize: [40, 4, 4], offset: [0, 0, 0], unit: 'nm' })
  })
})
