import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createArray } from '../../src/entry/index.ts'
import { bellis, dyingAt, hashVoxels, temporaryFolder } from '../support/command-line.ts'
import { seededVoxels } from '../support/seeded-voxels.ts'

const shared = temporaryFolder()
after(() => shared[Symbol.dispose]())
const at = (name: string) => join(shared.path, name)
const json = (path: string) => JSON.parse(readFileSync(path, 'utf8'))
const ok = async (...args: readonly string[]) => {
  const result = await bellis([...args, '--pool', 'inline', '--quiet'], { cwd: shared.path })
  assert.equal(result.code, 0, result.stderr)
  return result
}

const OMERO = {
  channels: [
    { label: 'DAPI', color: '0000FF' },
    { label: 'GFP', color: '00FF00' },
  ],
}
const IMAGE = ['0', '1'] as const
const ARRAYS = ['0/0', '0/1', '0/labels/cells/0', '1/0', '1/1']

/** A pyramid of two levels with two channels, as converters write it in Zarr 2. */
async function image(group: string, seed: number): Promise<void> {
  for (const [level, length] of [
    ['0', 16],
    ['1', 8],
  ] as const) {
    const shape = [2, 8, length, length]
    await using array = await createArray(`${group}/${level}`, {
      ...{ shape, dtype: 'uint16', chunkShape: [1, 4, 8, 8], zarrFormat: 2, codec: 'zlib' },
      voxelSize: [1000, (500 * 16) / length, (500 * 16) / length],
      ...(level === '1' ? { levelOf: '0' } : {}),
    })
    await array.write(array.roi, seededVoxels('uint16', 2 * 8 * length * length, seed + length))
  }
  const [multiscale] = json(join(group, '.zattrs')).multiscales
  addAttributes(group, { multiscales: [{ ...multiscale, name: 'embryo', type: 'gaussian' }], omero: OMERO, own: [1] })
}

const addAttributes = (group: string, attributes: object) => {
  const file = join(group, '.zattrs')
  writeFileSync(file, JSON.stringify({ ...(existsSync(file) ? json(file) : {}), ...attributes }))
}

const newGroup = (group: string) => {
  mkdirSync(group, { recursive: true })
  writeFileSync(join(group, '.zgroup'), '{"zarr_format": 2}')
}

describe('bellis convert, of a group', () => {
  // The layout of bioformats2raw: two images, labels of the first, and the metadata of the microscope.
  before(async () => {
    await image(at('in.zarr/0'), 1)
    await image(at('in.zarr/1'), 2)
    {
      const options = { shape: [8, 16, 16], dtype: 'uint32', chunkShape: [4, 8, 8], zarrFormat: 2 } as const
      await using labels = await createArray(at('in.zarr/0/labels/cells/0'), {
        ...options,
        voxelSize: [1000, 500, 500],
      })
      await labels.write(labels.roi, seededVoxels('uint32', 8 * 16 * 16, 3))
    }
    addAttributes(at('in.zarr/0/labels'), { labels: ['cells'] })
    addAttributes(at('in.zarr/0/labels/cells'), { 'image-label': { version: '0.4', source: { image: '../../' } } })
    newGroup(at('in.zarr/OME'))
    addAttributes(at('in.zarr/OME'), { series: IMAGE })
    writeFileSync(at('in.zarr/OME/METADATA.ome.xml'), '<OME/>')
    addAttributes(at('in.zarr'), { 'bioformats2raw.layout': 3 })
  })

  async function sameVoxels(output: string): Promise<void> {
    for (const array of ARRAYS) {
      assert.equal(await hashVoxels(at(`${output}/${array}`)), await hashVoxels(at(`in.zarr/${array}`)), array)
    }
  }
  const ome = (group: string) => json(at(`${group}/zarr.json`)).attributes.ome

  it('keeps its arrays, pyramids, channels, labels, images and the metadata of the microscope, in the other version of Zarr', async () => {
    await ok('convert', 'in.zarr', 'out.zarr')
    await sameVoxels('out.zarr')
    for (const name of IMAGE) {
      const { version, omero, multiscales } = ome(`out.zarr/${name}`)
      assert.deepEqual([version, omero], ['0.5', OMERO])
      assert.equal(multiscales.length, 1)
      const [{ datasets, ...rest }] = multiscales
      assert.deepEqual([rest.name, rest.type, rest.version], ['embryo', 'gaussian', undefined])
      const scales = datasets.map((dataset: { path: string; coordinateTransformations: { scale: number[] }[] }) => [
        dataset.path,
        dataset.coordinateTransformations[0]?.scale,
      ])
      assert.deepEqual(scales, [
        ['0', [1, 1000, 500, 500]],
        ['1', [1, 1000, 1000, 1000]],
      ])
      assert.deepEqual(json(at(`out.zarr/${name}/zarr.json`)).attributes.own, [1])
    }
    assert.deepEqual(ome('out.zarr'), { version: '0.5', 'bioformats2raw.layout': 3 })
    assert.deepEqual(ome('out.zarr/OME'), { version: '0.5', series: IMAGE })
    assert.deepEqual(ome('out.zarr/0/labels'), { version: '0.5', labels: ['cells'] })
    const { multiscales, ...cells } = ome('out.zarr/0/labels/cells')
    assert.deepEqual(cells, { version: '0.5', 'image-label': { source: { image: '../../' } } })
    assert.equal(multiscales.length, 1)
    assert.equal(readFileSync(at('out.zarr/OME/METADATA.ome.xml'), 'utf8'), '<OME/>')

    await ok('convert', 'out.zarr', 'back.zarr', '--zarr-format', '2')
    await sameVoxels('back.zarr')
    const back = json(at('back.zarr/0/.zattrs'))
    assert.deepEqual([back.omero, back.own, back.ome], [OMERO, [1], undefined])
    assert.deepEqual([back.multiscales[0].version, back.multiscales[0].name], ['0.4', 'embryo'])
    assert.deepEqual(json(at('back.zarr/.zattrs')), { 'bioformats2raw.layout': 3 })
    const label = json(at('back.zarr/0/labels/cells/.zattrs'))['image-label']
    assert.deepEqual(label, { version: '0.4', source: { image: '../../' } })
  })

  it('keeps the plate and the wells of a screen', async () => {
    const plate = { version: '0.4', name: 'P1', wells: [{ path: 'A/1', rowIndex: 0, columnIndex: 0 }] }
    await image(at('plate.zarr/A/1/0'), 5)
    addAttributes(at('plate.zarr'), { plate })
    addAttributes(at('plate.zarr/A/1'), { well: { version: '0.4', images: [{ path: '0' }] } })
    await ok('convert', 'plate.zarr', 'screen.zarr')
    assert.deepEqual(ome('screen.zarr'), { version: '0.5', plate: { name: 'P1', wells: plate.wells } })
    assert.deepEqual(ome('screen.zarr/A/1'), { version: '0.5', well: { images: [{ path: '0' }] } })
    assert.deepEqual(ome('screen.zarr/A/1/0').omero, OMERO)
  })

  it('continues after a kill, with all of that', async () => {
    const command = ['convert', 'in.zarr', 'killed.zarr', '--pool', 'inline', '--quiet']
    const { code } = await bellis(command, { cwd: shared.path, env: dyingAt(2) })
    assert.equal(code, 'SIGKILL')
    await ok(...command.slice(0, 3))
    await sameVoxels('killed.zarr')
    for (const group of ['', '/0', '/1', '/OME', '/0/labels', '/0/labels/cells']) {
      assert.deepEqual(ome(`killed.zarr${group}`), ome(`out.zarr${group}`), group)
    }
  })

  it('changes nothing that a group has already, and adds what it lacks', async () => {
    {
      await using array = await createArray(at('full.zarr/0/mine'), { shape: [4], dtype: 'uint8', zarrFormat: 3 })
      await array.write(array.roi, new Uint8Array(4).fill(9))
    }
    const file = at('full.zarr/0/zarr.json')
    const before = json(file)
    writeFileSync(
      file,
      JSON.stringify({ ...before, attributes: { own: 'kept', ome: { version: '0.5', omero: 'kept' } } }),
    )
    await ok('convert', 'in.zarr/0', 'full.zarr/0')
    const { attributes } = json(file)
    assert.deepEqual([attributes.own, attributes.ome.omero], ['kept', 'kept'])
    assert.equal(attributes.ome.multiscales[0].name, 'embryo')
    assert.equal(await hashVoxels(at('full.zarr/0/1')), await hashVoxels(at('in.zarr/0/1')))
  })

  it('copies one array where only one can be meant', async () => {
    await ok('convert', 'in.zarr/0/1', 'one.zarr')
    await ok('convert', 'in.zarr/0', 'part.zarr', '--roi', '0:2,:,:')
    await ok('convert', 'in.zarr/0', 'other.n5')
    for (const [output, input] of [
      ['one.zarr', 'in.zarr/0/1'],
      ['other.n5', 'in.zarr/0/0'],
    ] as const)
      assert.equal(await hashVoxels(at(output)), await hashVoxels(at(input)), output)
    assert.equal(json(at('part.zarr/zarr.json')).node_type, 'array')
  })

  it('refuses to write into what it copies', async () => {
    for (const output of ['./in.zarr/copy', at('in.zarr/copy')]) {
      const { code, stderr } = await bellis(['convert', 'in.zarr', output], { cwd: shared.path })
      assert.equal(code, 2)
      assert.match(stderr, /in\.zarr\/copy lies in in\.zarr, which would be copied; write to another container/)
    }
  })
})
