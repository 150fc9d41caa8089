import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { n5Format } from '../../../src/adapters/n5/n5-format.ts'
import { placeAxes } from '../../../src/core/geometry/placement.ts'
import { createArray, openArray } from '../../../src/entry/arrays.ts'
import { runBlockwise } from '../../../src/entry/run.ts'
import { convert } from '../../../src/tasks/convert.ts'
import { temporaryFolder } from '../../support/zarr.ts'

const format = n5Format()
const small = { shape: [4, 5, 6], chunkShape: [2, 3, 4], dtype: 'uint8' } as const
const whole = { offset: [0, 0, 0], shape: [4, 5, 6] }

/** Writes files of JSON, or bytes, below a folder. */
async function files(folder: string, content: Record<string, object>): Promise<void> {
  for (const [name, json] of Object.entries(content)) {
    const path = join(folder, name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, json instanceof Uint8Array ? json : JSON.stringify(json))
  }
}

const dataset = (more: object = {}, rank = 3) => ({
  dimensions: [6, 5, 4, 2, 3].slice(0, rank),
  blockSize: [4, 3, 2, 1, 1].slice(0, rank),
  dataType: 'uint8',
  compression: { type: 'raw' },
  ...more,
})

async function placementOf(folder: string, inner: string) {
  const { axes, warnings = [] } = await format.open(folder, inner)
  const { voxelSize, offset, unit } = placeAxes(axes)
  return { names: axes.map(({ name }) => name).join(''), voxelSize, offset, unit, warnings }
}

describe('the placement of an N5 dataset', () => {
  const cases: readonly (readonly [string, Record<string, object>, string, object])[] = [
    ['nothing', { 'a/attributes.json': dataset() }, 'a', { names: 'zyx', voxelSize: [1, 1, 1] }],
    [
      'resolution and offset of Paintera and funlib, x first',
      { 'a/attributes.json': dataset({ resolution: [4, 5, 40], offset: [8, 10, 80] }) },
      'a',
      { names: 'zyx', voxelSize: [40, 5, 4], offset: [80, 10, 8], unit: 'nm' },
    ],
    [
      'a pyramid of Paintera, whose group places all levels',
      {
        'raw/attributes.json': { painteraData: { type: 'raw' } },
        'raw/data/attributes.json': { multiScale: true, resolution: [4, 4, 40], offset: [0, 0, 80] },
        'raw/data/s0/attributes.json': dataset(),
        'raw/data/s1/attributes.json': dataset({ downsamplingFactors: [2, 2, 1] }),
      },
      'raw/data/s1',
      { names: 'zyx', voxelSize: [40, 8, 8], offset: [80, 0, 0] },
    ],
    [
      'pixelResolution and factors of N5 Viewer',
      {
        'attributes.json': { n5: '2.5.1', pixelResolution: { unit: 'um', dimensions: [0.1, 0.2, 0.5] } },
        'c0/s2/attributes.json': dataset({ downsamplingFactors: [4, 4, 2] }),
      },
      'c0/s2',
      { names: 'zyx', voxelSize: [1000, 800, 400], unit: 'nm', warnings: [] },
    ],
    [
      'a transform of COSEM, to the centre of the first voxel',
      {
        'em/s1/attributes.json': dataset({
          transform: { axes: ['z', 'y', 'x'], scale: [10, 8, 6], translate: [5, 4, 13], units: ['nm', 'nm', 'nm'] },
          pixelResolution: { unit: 'nm', dimensions: [6, 8, 10] },
        }),
      },
      'em/s1',
      { names: 'zyx', voxelSize: [10, 8, 6], offset: [0, 0, 10] },
    ],
    [
      'units and names of tensorstore',
      { 'a/attributes.json': dataset({ axes: ['x', 'y', 'z'], units: ['um', 'nm', ''], resolution: [0.004, 5, 40] }) },
      'a',
      { names: 'zyx', voxelSize: [40, 5, 4] },
    ],
    [
      'a channel after z',
      { 'a/attributes.json': dataset({ resolution: [4, 5, 40] }, 4) },
      'a',
      { names: 'czyx', voxelSize: [40, 5, 4] },
    ],
    [
      'factors of a level without a voxel size',
      { 'a/attributes.json': dataset({ downsamplingFactors: [2, 2, 1] }) },
      'a',
      { names: 'zyx', voxelSize: [1, 2, 2] },
    ],
    [
      'a voxel size without a unit',
      { 'a/attributes.json': dataset({ pixelResolution: [4, 5, 40] }) },
      'a',
      {
        voxelSize: [40, 5, 4],
        warnings: [
          'axes "z", "y", "x": no unit is given, so the voxel size is taken as nm; if that is wrong, give --unit or --voxel-size',
        ],
      },
    ],
  ]
  for (const [what, content, inner, expected] of cases) {
    it(`is that of ${what}`, async (t) => {
      const folder = join(await temporaryFolder(t), 'a.n5')
      await files(folder, content)
      const found = await placementOf(folder, inner)
      assert.deepEqual({ ...found, ...expected }, found)
    })
  }
})

describe('an N5 container', () => {
  it('opens the finest level of a group, and lists datasets and groups', async (t) => {
    const folder = join(await temporaryFolder(t), 'a.n5')
    await files(folder, {
      'attributes.json': { n5: '2.0.0' },
      'raw/attributes.json': { painteraData: {} },
      'raw/data/s0/attributes.json': dataset(),
      'setup0/timepoint0/s0/attributes.json': dataset(),
    })
    const listed = await format.list(folder, '')
    assert.deepEqual(
      listed.filter(({ kind }) => kind === 'array').map(({ path }) => path),
      ['raw/data/s0', 'setup0/timepoint0/s0'],
    )
    assert.equal((await format.open(folder, 'raw')).path, join(folder, 'raw/data/s0'))
    assert.equal((await format.open(folder, 'setup0/timepoint0')).path, join(folder, 'setup0/timepoint0/s0'))
    await assert.rejects(format.open(folder, ''), { code: 'NOT_A_DATASET', message: /raw\/data\/s0/ })
    await assert.rejects(format.open(folder, 'row'), { code: 'NO_SUCH_DATASET', message: /"row".*raw\/data\/s0/ })
    await assert.rejects(format.open(`${folder}x`, 'raw'), { code: 'NO_SUCH_FILE' })
  })

  it('is recognised without a suffix', async (t) => {
    const folder = join(await temporaryFolder(t), 'volumes')
    await files(folder, { 'attributes.json': { n5: '2.0.0' }, 'raw/attributes.json': dataset() })
    await using array = await openArray(join(folder, 'raw'))
    assert.deepEqual([array.format, array.shape], ['n5', [4, 5, 6]])
  })

  it('refuses what it can not read, naming the file and the value', async (t) => {
    const folder = join(await temporaryFolder(t), 'a.n5')
    for (const [more, code, message] of [
      [{ dataType: 'object' }, 'UNSUPPORTED', /a\/attributes\.json: the dataType "object"/],
      [{ isLabelMultiset: true }, 'UNSUPPORTED', /label multiset/],
      [{ compression: { type: 'jpeg' } }, 'UNSUPPORTED_CODEC', /"jpeg"/],
      [{ blockSize: [4, 3] }, 'INVALID_METADATA', /blockSize/],
      [{ blockSize: [2 ** 20, 2 ** 20, 2] }, 'UNSUPPORTED', /does not fit/],
    ] as const) {
      await files(folder, { 'a/attributes.json': dataset(more) })
      await assert.rejects(format.open(folder, 'a'), { code, message })
    }
  })

  it('reads blocks that are cropped, have a count, or are compressed by lz4-java, and refuses damaged ones', async (t) => {
    const folder = join(await temporaryFolder(t), 'a.n5')
    const header = (mode: number, shape: readonly number[], ...more: number[]) => {
      const bytes = Buffer.alloc(4 + 4 * (shape.length + more.length))
      bytes.writeUInt16BE(mode, 0)
      bytes.writeUInt16BE(shape.length, 2)
      ;[...shape, ...more].forEach((value, i) => {
        bytes.writeUInt32BE(value, 4 + 4 * i)
      })
      return bytes
    }
    const voxels = Buffer.from([1, 2, 3, 4])
    // A block that is stored as it is, one with literals alone, and the end; checksums are not looked at.
    const part = (method: number, packed: Buffer, length: number) => {
      const head = Buffer.alloc(21)
      head.write('LZ4Block', 'latin1')
      head[8] = method
      head.writeUInt32LE(packed.length, 9)
      head.writeUInt32LE(length, 13)
      return Buffer.concat([head, packed])
    }
    const lz4 = [
      part(0x16, voxels.subarray(0, 2), 2),
      part(0x26, Buffer.from([0x20, 3, 4]), 2),
      part(0x16, Buffer.of(), 0),
    ]
    const read = async (compression: string, block: Buffer) => {
      await files(folder, { 'a/attributes.json': dataset({ compression: { type: compression } }, 2), 'a/0/0': block })
      const into = new Uint8Array(6).fill(0xa5)
      await (await format.open(folder, 'a')).readVoxels({ offset: [0, 0], shape: [2, 3] }, into)
      return [...into]
    }
    const expected = [1, 2, 0, 3, 4, 0]
    assert.deepEqual(await read('raw', Buffer.concat([header(0, [2, 2]), voxels])), expected)
    assert.deepEqual(await read('raw', Buffer.concat([header(1, [2, 2], 4), voxels])), expected)
    assert.deepEqual(await read('lz4', Buffer.concat([header(0, [2, 2]), ...lz4])), expected)
    for (const [compression, block, message] of [
      ['raw', Buffer.concat([header(2, [2, 2], 4), voxels]), /kind 2/],
      ['raw', Buffer.concat([header(0, [2, 3]), voxels]), /4 bytes, expected 6/],
      ['raw', Buffer.concat([header(0, [2, 4]), voxels]), /larger than a block/],
      ['raw', Buffer.concat([header(0, [2, 2, 1]), voxels]), /3 axes, expected 2/],
      ['raw', Buffer.from([0, 0, 0]), /header/],
      ['raw', Buffer.concat([header(1, [2, 2], 5), voxels]), /number of elements/],
      ['lz4', Buffer.concat([header(0, [2, 2]), ...lz4.slice(0, 2)]), /truncated/],
      [
        'lz4',
        Buffer.concat([header(0, [2, 2]), part(0x26, Buffer.of(0x20, 3, 4), 2 ** 24), ...lz4]),
        /more than 4 bytes/,
      ],
    ] as const) {
      await assert.rejects(read(compression, block), { code: 'CORRUPT_DATA', message })
    }
  })

  it('is created with groups, keeps attributes, and refuses what N5 does not have', async (t) => {
    const folder = join(await temporaryFolder(t), 'a.n5')
    await using array = await format.create(folder, 'volumes/raw', {
      ...small,
      codec: 'gzip',
      attributes: { note: [1] },
    })
    const root = JSON.parse(await readFile(join(folder, 'attributes.json'), 'utf8'))
    assert.deepEqual(root, { n5: '2.0.0' })
    await array.setAttributes?.({ more: 'x' })
    assert.deepEqual((await format.open(folder, 'volumes/raw')).attributes, { note: [1], more: 'x' })
    const refused = (create: object, inner: string, code: string, message: RegExp) =>
      assert.rejects(format.planCreate(folder, inner, { ...small, ...create }), { code, message })
    await refused({}, 'volumes/raw', 'DATASET_EXISTS', /--overwrite/)
    await refused({}, 'volumes', 'DATASET_EXISTS', /group/)
    await refused({}, 'volumes/raw/s0', 'NOT_A_DATASET', /is a dataset/)
    await refused({ dtype: 'bool' }, 'b', 'UNSUPPORTED', /no bool/)
    await refused({ shardShape: [4, 6, 8] }, 'b', 'UNSUPPORTED', /no shards/)
    await refused({ fillValue: 3 }, 'b', 'UNSUPPORTED', /3/)
    await refused({ codec: 'lz4' }, 'b', 'UNSUPPORTED_CODEC', /"lz4"/)
    await format.planCreate(folder, 'b', { ...small, likeFill: 3 })
    await array.writeVoxels(whole, new Uint8Array(120).fill(1))
    await using replaced = await format.create(folder, 'volumes/raw', { ...small, ifExists: 'replace' })
    assert.deepEqual(await replaced.countStoredChunks?.(), { stored: 0, total: 8 })
  })

  it('is what convert makes of a Zarr array and back, with its voxels and placement', async (t) => {
    const folder = await temporaryFolder(t)
    const [zarr, n5, back] = ['a.zarr/raw', 'b.n5/volumes/raw', 'c.zarr/raw'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ]
    const voxels = Uint16Array.from({ length: 2 * 9 * 10 * 11 }, (_, i) => i)
    await using made = await createArray(zarr, {
      ...{
        shape: [2, 9, 10, 11],
        dtype: 'uint16',
        voxelSize: [40, 4, 4],
        offset: [80, 8, -4],
        fillValue: 7,
        chunkShape: [1, 4, 4, 4],
      },
    })
    await made.write(made.roi, { shape: [2, 9, 10, 11], data: voxels } as never)
    for (const [input, output] of [
      [zarr, n5],
      [n5, back],
    ] as const) {
      const result = await runBlockwise([convert({ input, output })], { pool: 'inline', runDir: join(folder, 'runs') })
      assert.equal(result.ok, true)
    }
    for (const path of [n5, back]) {
      await using array = await openArray(path)
      assert.deepEqual(
        [array.axes.map(({ name }) => name), array.voxelSize, array.offset],
        [
          ['c', 'z', 'y', 'x'],
          [40, 4, 4],
          [80, 8, -4],
        ],
      )
      assert.deepEqual((await array.read(array.roi)).data, voxels)
    }
  })
})
