import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { precomputedFormat } from '../../../src/adapters/precomputed/precomputed-format.ts'
import { newSharding, shardBox } from '../../../src/adapters/precomputed/shard-boxes.ts'
import { parseMinishard } from '../../../src/adapters/precomputed/sharded-reading.ts'
import { mortonCode, parseSharding, placeOfChunk } from '../../../src/adapters/precomputed/sharding.ts'
import { createArray, openArray } from '../../../src/entry/arrays.ts'
import { runBlockwise } from '../../../src/entry/run.ts'
import type { ChunkedArray } from '../../../src/ports/chunked-array.ts'
import { convert } from '../../../src/tasks/convert.ts'
import { temporaryFolder } from '../../support/zarr.ts'

const format = precomputedFormat()
const scale = {
  key: '4_4_40',
  size: [6, 5, 4],
  resolution: [4, 4, 40],
  voxel_offset: [1, 2, 3],
  chunk_sizes: [[4, 3, 2]],
  encoding: 'raw',
}
const info = (more: object = {}, ...scales: object[]) => ({
  ...{ '@type': 'neuroglancer_multiscale_volume', type: 'image', data_type: 'uint8', num_channels: 1, ...more },
  scales: scales.length === 0 ? [scale] : scales,
})

async function volume(folder: string, json: object | string): Promise<string> {
  const container = join(folder, 'layer')
  await mkdir(container, { recursive: true })
  await writeFile(join(container, 'info'), typeof json === 'string' ? json : JSON.stringify(json))
  return container
}

/** The metadata of two chunks of 4³ bytes in one shard. */
const sharded = (encoding: 'raw' | 'gzip' = 'raw') =>
  info(
    {},
    {
      ...{ key: 's', size: [8, 4, 4], resolution: [4, 4, 4], voxel_offset: [0, 0, 0] },
      ...{ chunk_sizes: [[4, 4, 4]], encoding: 'raw' },
      sharding: {
        ...{ '@type': 'neuroglancer_uint64_sharded_v1', hash: 'identity', preshift_bits: 0, minishard_bits: 0 },
        ...{ shard_bits: 0, minishard_index_encoding: encoding, data_encoding: 'raw' },
      },
    },
  )

/** The index of chunks 0, 1, … of these lengths, one behind the other. @param gap before the first one */
function minishard(lengths: readonly number[], gap = 0): Buffer {
  const index = Buffer.alloc(24 * lengths.length)
  for (const [i, length] of lengths.entries()) {
    index.writeBigUInt64LE(i === 0 ? 0n : 1n, 8 * i)
    index.writeBigUInt64LE(i === 0 ? BigInt(gap) : 0n, 8 * (lengths.length + i))
    index.writeBigUInt64LE(BigInt(length), 8 * (2 * lengths.length + i))
  }
  return index
}

async function valuesIn(array: ChunkedArray, region: { offset: number[]; shape: number[] }): Promise<Set<number>> {
  const voxels = new Uint8Array(64)
  await array.readVoxels(region, voxels)
  return new Set(voxels)
}

/** Puts a shard in place, as writers do: under another name first. */
async function putShard(container: string, index: Uint8Array, data: Uint8Array): Promise<void> {
  const bounds = Buffer.alloc(16)
  bounds.writeBigUInt64LE(BigInt(data.length), 0)
  bounds.writeBigUInt64LE(BigInt(data.length + index.length), 8)
  await mkdir(join(container, 's'), { recursive: true })
  await writeFile(join(container, 's/new'), Buffer.concat([bounds, data, index]))
  await rename(join(container, 's/new'), join(container, 's/0.shard'))
}

describe('a precomputed volume', () => {
  it('opens its finest scale, or the one that is named, and lists them', async (t) => {
    const coarse = { ...scale, key: 'coarse', size: [3, 3, 2], resolution: [8, 8, 80] }
    const container = await volume(await temporaryFolder(t), info({}, scale, coarse))
    assert.deepEqual((await format.open(container, '')).shape, [4, 5, 6])
    assert.deepEqual((await format.open(container, 'coarse')).shape, [2, 3, 3])
    assert.deepEqual(
      (await format.list(container, '')).map(({ path }) => path),
      ['4_4_40', 'coarse'],
    )
    await assert.rejects(format.open(container, 'x'), { code: 'NO_SUCH_DATASET', message: /"x".*4_4_40, coarse/ })
    // Without a suffix, its file says what it is.
    await using array = await openArray(container)
    assert.deepEqual([array.format, array.voxelSize, array.offset], ['precomputed', [40, 4, 4], [120, 8, 4]])
  })

  it('refuses what it can not read, naming the file and the value', async (t) => {
    const folder = await temporaryFolder(t)
    const sharding = {
      '@type': 'neuroglancer_uint64_sharded_v1',
      hash: 'identity',
      preshift_bits: 0,
      minishard_bits: 0,
      shard_bits: 0,
    }
    for (const [json, code, message] of [
      ['{"scales": [', 'INVALID_METADATA', /layer\/info is not JSON/],
      [
        { ...info(), '@type': 'neuroglancer_skeletons' },
        'UNSUPPORTED',
        /info is "neuroglancer_skeletons", not a volume/,
      ],
      [info({ data_type: 'float64' }), 'UNSUPPORTED', /"float64"/],
      [info({ num_channels: 0 }), 'INVALID_METADATA', /num_channels/],
      [
        info({}, { ...scale, encoding: 'jxl' }),
        'UNSUPPORTED_CODEC',
        /scale "4_4_40" has the encoding "jxl".*tensorstore/,
      ],
      [info({}, { ...scale, size: [1, 2] }), 'INVALID_METADATA', /size is \[1,2\]/],
      [info({}, { ...scale, resolution: [0, 4, 4] }), 'INVALID_METADATA', /resolution/],
      [info({}, { ...scale, key: '../other' }), 'UNSUPPORTED', /outside.*even with --allow-external/],
      [info({}, { ...scale, chunk_sizes: [[2 ** 20, 2 ** 20, 1]] }), 'UNSUPPORTED', /does not fit/],
      [info({}, { ...scale, encoding: 'compressed_segmentation' }), 'INVALID_METADATA', /uint32 or uint64/],
      [info({}, { ...scale, sharding: { ...sharding, hash: 'md5' } }), 'UNSUPPORTED', /"md5"/],
      [info({}, { ...scale, sharding: { ...sharding, minishard_bits: 40 } }), 'UNSUPPORTED', /minishard_bits is 40/],
    ] as const) {
      const container = await volume(folder, json)
      await assert.rejects(format.open(container, ''), { code, message })
    }
    await assert.rejects(format.open(join(folder, 'nothing'), ''), { code: 'NO_SUCH_FILE' })
  })

  it('reports chunks of another size, and never reads them as zeros', async (t) => {
    const container = await volume(await temporaryFolder(t), info())
    await mkdir(join(container, '4_4_40'))
    const chunk = join(container, '4_4_40', '1-5_2-5_3-5')
    const read = async () => {
      const into = new Uint8Array(24)
      await (await format.open(container, '')).readVoxels({ offset: [0, 0, 0], shape: [2, 3, 4] }, into)
      return [...into]
    }
    assert.deepEqual(await read(), Array(24).fill(0))
    const voxels = Uint8Array.from({ length: 24 }, (_, i) => i + 1)
    await writeFile(chunk, voxels)
    assert.deepEqual(await read(), [...voxels])
    await writeFile(chunk, voxels.subarray(1))
    await assert.rejects(read(), { code: 'CORRUPT_DATA', message: /1-5_2-5_3-5 is corrupt.*23 bytes, expected 24/ })
  })

  it('counts its chunks by their names, also compressed ones, and those of shards not at all', async (t) => {
    const folder = await temporaryFolder(t)
    const container = await volume(folder, info())
    await mkdir(join(container, '4_4_40'))
    for (const name of ['1-5_2-5_3-5', '5-7_5-7_5-7.gz', '1-5_2-5_3-6', '0-4_2-5_3-5', 'notes', '9-13_2-5_3-5']) {
      await writeFile(join(container, '4_4_40', name), '')
    }
    assert.deepEqual(await (await format.open(container, '')).countStoredChunks?.(), { stored: 2, total: 8 })
    const sharding = {
      '@type': 'neuroglancer_uint64_sharded_v1',
      hash: 'identity',
      preshift_bits: 0,
      minishard_bits: 0,
      shard_bits: 0,
    }
    await volume(folder, info({}, { ...scale, sharding }))
    assert.equal((await format.open(container, '')).countStoredChunks, undefined)
  })

  it('V3: reads each chunk of a shard by the index of the very file that it reads, also after that was replaced', async (t) => {
    const container = await volume(await temporaryFolder(t), sharded())
    await putShard(container, minishard([64, 64]), Buffer.concat([Buffer.alloc(64, 1), Buffer.alloc(64, 2)]))
    await using array = await format.open(container, '')
    const read = (x: number) => valuesIn(array, { offset: [0, 0, x], shape: [4, 4, 4] })
    assert.deepEqual(await read(0), new Set([1]))
    const longer = [Buffer.alloc(32, 99), Buffer.alloc(64, 3), Buffer.alloc(64, 4)]
    await putShard(container, minishard([64, 64], 32), Buffer.concat(longer))
    assert.deepEqual([await read(0), await read(4)], [new Set([3]), new Set([4])])
  })

  it('V5: refuses an index of more chunks than the volume has', async (t) => {
    const container = await volume(await temporaryFolder(t), sharded('gzip'))
    const index = gzipSync(Buffer.alloc(24 * 10_000))
    await putShard(container, index, Buffer.alloc(128))
    await using array = await format.open(container, '')
    await assert.rejects(valuesIn(array, { offset: [0, 0, 0], shape: [4, 4, 4] }), {
      code: 'CORRUPT_DATA',
      message: /0\.shard is corrupt.*at most 48/,
    })
  })

  it('D2: takes files that a killed replacement has left for no chunks of a new scale', async (t) => {
    const container = join(await temporaryFolder(t), 'layer.precomputed')
    const create = { shape: [4, 4, 4], dtype: 'uint8', chunkShape: [4, 4, 4], codec: 'raw' } as const
    const whole = { offset: [0, 0, 0], shape: [4, 4, 4] }
    await using array = await format.create(container, 's', create)
    await array.writeVoxels(whole, new Uint8Array(64).fill(7))
    // Killed after the scale was taken out of it.
    const file = join(container, 'info')
    await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, 'utf8')), scales: [] }))
    await assert.rejects(format.open(container, 's'), { code: 'NO_SUCH_DATASET', message: /it has no scales/ })
    for (const ifExists of ['refuse', 'reuse'] as const) {
      await assert.rejects(format.create(container, 's', { ...create, ifExists }), {
        code: 'DATASET_EXISTS',
        message: /names no such scale.*--overwrite/,
      })
    }
    await using anew = await format.create(container, 's', { ...create, ifExists: 'replace' })
    assert.deepEqual(await valuesIn(anew, whole), new Set([0]))
  })

  it('gets further scales of the same kind, and refuses others', async (t) => {
    const container = join(await temporaryFolder(t), 'a.precomputed')
    const space = (size: number) =>
      ['z', 'y', 'x'].map((name) => ({ name, type: 'space' as const, unit: 'nanometer', scale: size }))
    const fine = { shape: [4, 4, 4], dtype: 'uint16', axes: space(4) } as const
    await using made = await format.create(container, '', { ...fine, attributes: { note: 'x' } })
    await made.setAttributes?.({ more: [1] })
    assert.deepEqual((await format.open(container, '4_4_4')).attributes, { note: 'x', more: [1] })
    await format.create(container, 'coarse', { ...fine, shape: [2, 2, 2], axes: space(8) })
    const json = JSON.parse(await readFile(join(container, 'info'), 'utf8'))
    assert.deepEqual(
      json.scales.map(({ key }: { key: string }) => key),
      ['4_4_4', 'coarse'],
    )
    const refused = (options: object, code: string, message: RegExp) =>
      assert.rejects(format.planCreate(container, '', { ...fine, ...options }), { code, message })
    await refused({}, 'DATASET_EXISTS', /4_4_4 already exists.*--overwrite/)
    // Whoever opens the volume would get another scale.
    const finer = { axes: space(2) }
    await refused(
      finer,
      'DATASET_EXISTS',
      /has the scales 4_4_4, coarse; name the one to write: .*a\.precomputed\/2_2_2/,
    )
    await assert.rejects(format.planCreate(container, 'fine', { ...fine, ...finer, dtype: 'uint8' }), {
      code: 'UNSUPPORTED',
      message: /uint16, and all scales have the same/,
    })
    await format.planCreate(container, 'fine', { ...fine, ...finer })
    await format.planCreate(container, '', { ...fine, ifExists: 'replace' })
    await refused({ dtype: 'float64' }, 'UNSUPPORTED', /no float64/)
    await refused({ fillValue: 1 }, 'UNSUPPORTED', /0, not 1/)
    await refused({ codec: 'gzip' }, 'UNSUPPORTED_CODEC', /raw or with compressed_segmentation, not with gzip/)
    await refused({ shape: [4, 4], axes: space(4).slice(1) }, 'UNSUPPORTED', /three axes in space.*not y, x/)
    await refused({ axes: space(4).map((axis) => ({ ...axis, translation: 2 })) }, 'UNSUPPORTED', /whole voxels/)
  })

  it('is what convert makes of a Zarr array and back, with its voxels and placement', async (t) => {
    const folder = await temporaryFolder(t)
    const [zarr, layer, back] = ['a.zarr/raw', 'b.precomputed', 'c.zarr/raw'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ]
    const voxels = Uint16Array.from({ length: 2 * 9 * 10 * 11 }, (_, i) => i)
    const placed = { voxelSize: [40, 4, 4], offset: [80, 8, -4] }
    await using made = await createArray(zarr, {
      shape: [2, 9, 10, 11],
      dtype: 'uint16',
      ...placed,
      fillValue: 7,
      chunkShape: [1, 4, 4, 4],
    })
    await made.write(made.roi, voxels)
    for (const [input, output] of [
      [zarr, layer],
      [layer, back],
    ] as const) {
      const result = await runBlockwise([convert({ input, output })], { pool: 'inline', runDir: join(folder, 'runs') })
      assert.equal(result.ok, true)
    }
    for (const path of [layer, back]) {
      await using array = await openArray(path)
      assert.deepEqual([array.voxelSize, array.offset], [placed.voxelSize, placed.offset])
      assert.deepEqual((await array.read(array.roi)).data, voxels)
    }
  })
})

describe('the shards of a precomputed volume', () => {
  it('number chunks by the bits of their indices, x first, as many bits as each axis needs', () => {
    assert.equal(mortonCode([0, 0, 5], [1, 1, 8]), 5n)
    assert.equal(mortonCode([1, 1, 1], [2, 2, 2]), 7n)
    assert.equal(mortonCode([1, 0, 2], [2, 1, 4]), 0b110n)
    assert.equal(mortonCode([2 ** 20, 0, 0], [2 ** 21, 1, 1]), 2n ** 20n)
  })

  it('refuse an index that is cut short or points nowhere', () => {
    const list = (...values: bigint[]) => new Uint8Array(BigUint64Array.from(values).buffer)
    assert.deepEqual(
      [...parseMinishard(list(3n, 2n, 0n, 10n, 4n, 5n), 100)],
      [
        [3n, [100, 4]],
        [5n, [114, 5]],
      ],
    )
    assert.throws(() => parseMinishard(list(1n, 2n), 0), /16 bytes, no multiple of 24/)
    assert.throws(() => parseMinishard(list(1n, 2n ** 62n, 1n), 0), /beyond any file/)
  })
})

describe('a new precomputed volume in shards', () => {
  const axis = fc.integer({ min: 1, max: 20 })

  it('has boxes of chunks as shards, and all chunks of a box in one file', () => {
    fc.assert(
      fc.property(fc.tuple(axis, axis, axis), fc.nat(16), fc.tuple(axis, axis, axis), (grid, bits, chunk) => {
        const all = grid.map((length) => Math.ceil(Math.log2(length))) as [number, number, number]
        // As many doublings along x, y and z in turn.
        const doubled = [0, 0, 0]
        for (let left = Math.min(bits, all[0] + all[1] + all[2]); left > 0; )
          for (const along of [2, 1, 0])
            if (left > 0 && (doubled[along] as number) < (all[along] as number)) {
              doubled[along]!++
              left--
            }
        const box = doubled.map((count) => 2 ** count)
        const shard = box.map((count, along) => count * (chunk[along] as number))
        const sharding = parseSharding(newSharding('out', grid, chunk, shard), 'out')
        const found = shardBox(sharding, grid) as number[]
        const isWhole = found.map((count, along) => count >= (grid[along] as number))
        found.forEach((count, along) => {
          assert.ok(count === box[along] || isWhole[along], `${found} is not ${box} in ${grid}`)
        })
        const files = new Map<string, string>()
        for (let z = 0; z < grid[0]; z++)
          for (let y = 0; y < grid[1]; y++)
            for (let x = 0; x < grid[2]; x++) {
              const { shard: file } = placeOfChunk(mortonCode([z, y, x], grid), sharding)
              const inBox = [z, y, x].map((at, along) => Math.floor(at / (found[along] as number))).join()
              assert.equal(files.get(file) ?? inBox, inBox)
              files.set(file, inBox)
            }
        assert.equal(files.size, new Set(files.values()).size)
      }),
      { numRuns: 60 },
    )
  })

  it('refuses a box that is no shard with those that are', () => {
    assert.throws(() => newSharding('out', [8, 8, 8], [64, 64, 64], [512, 64, 64]), {
      code: 'UNSUPPORTED',
      message: /shard shape \(512, 64, 64\) can't be written.*use \(128, 128, 128\) or \(64, 128, 128\)/,
    })
    // A shard that ends beyond the array is as long as the array.
    assert.deepEqual(
      shardBox(parseSharding(newSharding('out', [1, 3, 3], [64, 64, 64], [1024, 128, 128]), 'out'), [1, 3, 3]),
      [1, 2, 2],
    )
  })

  it('is continued with the shards that it has, and not with others', async (t) => {
    const folder = await temporaryFolder(t)
    const wanted = {
      shape: [4, 16, 16],
      dtype: 'uint8',
      chunkShape: [4, 4, 4],
      codec: 'raw',
      ifExists: 'reuse',
    } as const
    const create = (shardShape?: readonly number[]) =>
      format.create(join(folder, 'v.precomputed'), '', {
        ...wanted,
        ...(shardShape === undefined ? {} : { shardShape }),
      })
    const first = await create([8, 8, 8])
    assert.deepEqual(first.shardShape, [4, 8, 8])
    await first.writeVoxels({ offset: [0, 8, 0], shape: [4, 8, 8] }, new Uint8Array(256).fill(7))
    assert.deepEqual(await readdir(join(folder, 'v.precomputed', '1_1_1')), ['2.shard'])
    const again = await create([8, 8, 8])
    const voxels = new Uint8Array(4 * 16 * 16)
    await again.readVoxels({ offset: [0, 0, 0], shape: [4, 16, 16] }, voxels)
    assert.equal(
      voxels.reduce((sum, value) => sum + value, 0),
      7 * 256,
    )
    await assert.rejects(create([4, 16, 16]), { code: 'DATASET_EXISTS', message: /shard shape/ })
    await assert.rejects(create(), { code: 'DATASET_EXISTS', message: /shard shape/ })
  })
})
