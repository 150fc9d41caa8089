import assert from 'node:assert/strict'
import fs, { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { zarrFormat } from '../../../src/adapters/zarr/zarr-format.ts'
import type { DTYPES } from '../../../src/core/array/dtype.ts'
import type { CreateArrayOptions } from '../../../src/ports/chunked-array.ts'
import { temporaryFolder } from '../../support/zarr.ts'

const format = zarrFormat()
const small: CreateArrayOptions = { shape: [4, 4], dtype: 'uint8', chunkShape: [2, 2], codec: 'raw' }
const json = async (...path: string[]) => JSON.parse(await readFile(join(...path), 'utf8'))
const everything = async (folder: string) => (await readdir(folder, { recursive: true })).sort()
const zyx = (scale: readonly number[], translation: readonly number[]) =>
  ['z', 'y', 'x'].map((name, i) => ({
    name,
    type: 'space' as const,
    unit: 'nanometer',
    scale: scale[i] as number,
    translation: translation[i] as number,
    translationOf: 'edge' as const,
  }))

describe('creating a Zarr array', () => {
  it('makes the container and every parent a group, and never changes an existing group', async (t) => {
    const folder = await temporaryFolder(t)
    for (const zarrFormat of [2, 3] as const) {
      const container = join(folder, `new${zarrFormat}`, 'a.zarr')
      await format.create(container, 'volumes/deep/raw', { ...small, zarrFormat })
      const file = zarrFormat === 2 ? '.zgroup' : 'zarr.json'
      for (const group of ['', 'volumes', 'volumes/deep']) {
        assert.equal((await json(container, group, file)).zarr_format, zarrFormat)
      }
      const own = JSON.stringify({
        ...(await json(container, file)),
        ...(zarrFormat === 3 ? { attributes: { mine: 1 } } : {}),
      })
      await writeFile(join(container, file), own)
      await format.create(container, 'volumes/labels', { ...small, zarrFormat })
      assert.equal(await readFile(join(container, file), 'utf8'), own)
    }
  })

  it('makes the container itself an array if no name is given', async (t) => {
    const container = join(await temporaryFolder(t), 'a.zarr')
    const array = await format.create(container, '', small)
    await array.writeVoxels({ offset: [0, 0], shape: [4, 4] }, new Uint8Array(16).fill(5))
    const into = new Uint8Array(1)
    await (await format.open(container, '')).readVoxels({ offset: [3, 3], shape: [1, 1] }, into)
    assert.equal(into[0], 5)
  })

  it('follows the version of the container, and refuses to mix versions', async (t) => {
    const container = join(await temporaryFolder(t), 'a.zarr')
    await format.create(container, 'a', { ...small, zarrFormat: 2 })
    assert.equal((await format.create(container, 'b', small)).format, 'zarr2')
    await assert.rejects(format.create(container, 'c', { ...small, zarrFormat: 3 }), {
      code: 'UNSUPPORTED',
      message: /group is Zarr 2.*Zarr 3/,
    })
    await assert.rejects(format.create(container, 'c', { ...small, shardShape: [4, 4] }), {
      code: 'UNSUPPORTED',
      message: /no shards/,
    })
  })

  it('refuses a folder that is no Zarr container, and a place inside an array', async (t) => {
    const folder = await temporaryFolder(t)
    await mkdir(join(folder, 'photos'))
    await writeFile(join(folder, 'photos', 'cat.jpg'), '')
    await assert.rejects(format.create(join(folder, 'photos'), 'raw', small), {
      code: 'UNKNOWN_FORMAT',
      message: /cat\.jpg/,
    })
    const container = join(folder, 'a.zarr')
    await format.create(container, 'raw', small)
    await assert.rejects(format.create(container, 'raw/more', small), {
      code: 'NOT_A_DATASET',
      message: /a\.zarr.raw is an array/,
    })
    await mkdir(join(container, 'notes'))
    await writeFile(join(container, 'notes', 'todo.txt'), '')
    await assert.rejects(format.create(container, 'notes', { ...small, ifExists: 'replace' }), {
      code: 'UNKNOWN_FORMAT',
    })
    for (const inner of ['../other', 'a/../../b', '.hidden', '__x']) {
      await assert.rejects(format.create(container, inner, small), { code: 'INVALID_CONFIG' }, inner)
    }
  })

  it('D3: plans without writing anything, and describes the future array', async (t) => {
    const folder = await temporaryFolder(t)
    const container = join(folder, 'a.zarr')
    const plan = await format.planCreate(container, 'v/raw', { ...small, codec: 'blosc' })
    assert.deepEqual(
      { ...plan, axes: plan.axes.map((axis) => axis.name) },
      {
        path: join(container, 'v/raw'),
        format: 'zarr3',
        shape: [4, 4],
        dtype: 'uint8',
        chunkShape: [2, 2],
        order: 'C',
        codecs: ['blosc:lz4:5'],
        fillValue: 0,
        axes: ['d0', 'd1'],
        attributes: {},
      },
    )
    assert.deepEqual(await readdir(folder), [])
  })

  it('D3: refuses what cannot be stored before anything is written', async (t) => {
    const folder = await temporaryFolder(t)
    const container = join(folder, 'a.zarr')
    const wrong: readonly (readonly [Partial<CreateArrayOptions>, string, RegExp])[] = [
      [{ chunkShape: [2] }, 'INVALID_CONFIG', /chunk shape is \(2\)/],
      [{ chunkShape: [0, 2] }, 'INVALID_CONFIG', /chunk shape is \(0, 2\)/],
      [{ shape: [-1, 4] }, 'INVALID_CONFIG', /shape is \(-1, 4\)/],
      [{ shardShape: [3, 4] }, 'INVALID_CONFIG', /\(3, 4\) is not a multiple.*nearest one is \(4, 4\)/],
      [{ fillValue: 256 }, 'INVALID_CONFIG', /256.*uint8/],
      [{ fillValue: 0.5 }, 'INVALID_CONFIG', /0\.5/],
      [{ codec: 'zlib' }, 'UNSUPPORTED_CODEC', /zlib.*gzip/],
      [{ codec: 'best' }, 'UNSUPPORTED_CODEC', /best/],
      [{ axes: zyx([1, 1, 1], [0, 0, 0]) }, 'RANK_MISMATCH', /axes/],
      [{ attributes: { f: { g: undefined, h: Symbol.iterator, i: circular() } } }, 'INVALID_CONFIG', /JSON/],
    ]
    for (const [options, code, message] of wrong) {
      await assert.rejects(format.create(container, 'raw', { ...small, ...options }), {
        name: 'ConfigError',
        code,
        message,
      })
    }
    assert.deepEqual(await readdir(folder), [])
  })

  it('keeps the attributes of the user, and returns them without those of the placement', async (t) => {
    const container = join(await temporaryFolder(t), 'a.zarr')
    const attributes = { stain: 'OTO', counts: [1, 2 ** 60], nested: { n: null } }
    for (const zarrFormat of [2, 3] as const) {
      const options = {
        ...small,
        shape: [4, 4, 4],
        chunkShape: [2, 2, 2],
        axes: zyx([1, 1, 1], [0, 0, 0]),
        attributes,
        zarrFormat,
      }
      const array = await format.create(`${container}${zarrFormat}`, 'raw', options)
      assert.deepEqual(Object.keys(array.attributes), Object.keys(attributes))
      assert.deepEqual(JSON.parse(JSON.stringify(array.attributes)), attributes)
    }
  })

  it('chooses chunks of about 64 voxels along each axis, and of one along channels', async (t) => {
    const container = join(await temporaryFolder(t), 'a.zarr')
    const chunkOf = async (shape: readonly number[], dtype: (typeof DTYPES)[number], names?: readonly string[]) => {
      const axes = names?.map((name) => ({ name, type: name === 'c' ? ('channel' as const) : ('space' as const) }))
      return (await format.planCreate(container, 'raw', { shape, dtype, ...(axes ? { axes } : {}) })).chunkShape
    }
    assert.deepEqual(await chunkOf([1000, 1000, 1000], 'uint8'), [64, 64, 64])
    assert.deepEqual(await chunkOf([1000, 1000, 1000], 'float32'), [64, 64, 64])
    assert.deepEqual(await chunkOf([1000, 1000, 1000], 'float64'), [32, 64, 64])
    assert.deepEqual(await chunkOf([20, 1000, 1000], 'uint8'), [20, 64, 128])
    assert.deepEqual(await chunkOf([3, 1000, 1000, 1000], 'uint8', ['c', 'z', 'y', 'x']), [1, 64, 64, 64])
    assert.deepEqual(await chunkOf([4000, 4000], 'uint8'), [512, 512])
    assert.deepEqual(await chunkOf([5, 0, 7], 'uint8'), [5, 1, 7])
    assert.deepEqual(await chunkOf([], 'uint8'), [])
  })
})

describe('creating a Zarr array that exists already', () => {
  it('D6: is refused by default, with the remedies', async (t) => {
    const container = join(await temporaryFolder(t), 'a.zarr')
    await format.create(container, 'raw', small)
    await assert.rejects(format.create(container, 'raw', small), { code: 'DATASET_EXISTS', message: /--overwrite/ })
    await assert.rejects(format.planCreate(container, 'raw', small), { code: 'DATASET_EXISTS' })
  })

  it('reuses the array and its data if only the codec differs', async (t) => {
    const container = join(await temporaryFolder(t), 'a.zarr')
    const options = { ...small, shape: [4, 4, 4], chunkShape: [2, 2, 2], axes: zyx([50, 4.6, 4.6], [100, 2.3, 0]) }
    const first = await format.create(container, 'v/raw', options)
    await first.writeVoxels({ offset: [0, 0, 0], shape: [4, 4, 4] }, new Uint8Array(64).fill(7))
    const again = await format.create(container, 'v/raw', { ...options, codec: 'gzip', ifExists: 'reuse' })
    assert.deepEqual([again.codecs, again.writable], [[], true])
    const into = new Uint8Array(1)
    await again.readVoxels({ offset: [1, 1, 1], shape: [1, 1, 1] }, into)
    assert.equal(into[0], 7)
    assert.equal((await format.planCreate(container, 'v/raw', { ...options, ifExists: 'reuse' })).path, again.path)
    assert.equal((await format.create(container, 'v/new', { ...options, ifExists: 'reuse' })).shape.length, 3)
  })

  it('D3: refuses to reuse an array that differs, and names both values', async (t) => {
    const container = join(await temporaryFolder(t), 'a.zarr')
    const options = { ...small, shape: [4, 4, 4], chunkShape: [2, 2, 2], axes: zyx([50, 4.6, 4.6], [0, 0, 0]) }
    await format.create(container, 'raw', options)
    const differences: readonly (readonly [Partial<CreateArrayOptions>, RegExp])[] = [
      [{ shape: [4, 4, 5] }, /shape is \(4, 4, 4\), not \(4, 4, 5\)/],
      [{ dtype: 'uint16' }, /dtype is uint8, not uint16/],
      [{ chunkShape: [4, 2, 2] }, /chunk shape is \(2, 2, 2\), not \(4, 2, 2\)/],
      [{ shardShape: [4, 4, 4] }, /shard shape is none, not \(4, 4, 4\)/],
      [{ fillValue: 3 }, /fill value is 0, not 3/],
      [{ zarrFormat: 2 }, /format is zarr3, not zarr2/],
      [
        { axes: zyx([50, 4.6, 4.7], [0, 0, 0]) },
        /voxel size \(50, 4\.6, 4\.6\) nm.*not voxel size \(50, 4\.6, 4\.7\) nm/,
      ],
      [{ axes: zyx([50, 4.6, 4.6], [0, 0, 4.6]) }, /at \(0, 0, 0\) nm, not .* at \(0, 0, 4\.6\) nm/],
    ]
    for (const [options2, message] of differences) {
      await assert.rejects(format.create(container, 'raw', { ...options, ...options2, ifExists: 'reuse' }), {
        code: 'DATASET_EXISTS',
        message,
      })
    }
  })

  it('replaces the array and all its chunks, and nothing beside it', async (t) => {
    const container = join(await temporaryFolder(t), 'a.zarr')
    const whole = { offset: [0, 0], shape: [4, 4] }
    for (const inner of ['v/raw', 'v/raw2']) {
      const array = await format.create(container, inner, small)
      await array.writeVoxels(whole, new Uint8Array(16).fill(1))
    }
    const fresh = await format.create(container, 'v/raw', { ...small, fillValue: 9, ifExists: 'replace' })
    const into = new Uint8Array(16)
    await fresh.readVoxels(whole, into)
    assert.deepEqual([...into], Array(16).fill(9))
    await (await format.open(container, 'v/raw2')).readVoxels(whole, into)
    assert.deepEqual([...into], Array(16).fill(1))
    assert.ok(!(await everything(container)).some((path) => path.includes('.tmp-')))
    await assert.rejects(format.create(container, 'v', { ...small, ifExists: 'replace' }), {
      code: 'DATASET_EXISTS',
      message: /group/,
    })
  })

  it('updates consolidated metadata', async (t) => {
    const folder = await temporaryFolder(t)
    const v2 = join(folder, '2.zarr')
    await format.create(v2, 'v/a', { ...small, zarrFormat: 2 })
    await writeFile(
      join(v2, '.zmetadata'),
      JSON.stringify({
        zarr_consolidated_format: 1,
        metadata: {
          '.zgroup': { zarr_format: 2 },
          'v/b/.zarray': { old: true },
          'v/b/.zattrs': {},
          'v/bb/.zarray': { kept: true },
        },
      }),
    )
    await format.create(v2, 'v/b', { ...small, zarrFormat: 2 })
    const { metadata } = await json(v2, '.zmetadata')
    assert.deepEqual(metadata['v/b/.zarray'], await json(v2, 'v/b/.zarray'))
    assert.deepEqual(metadata['v/bb/.zarray'], { kept: true })

    const v3 = join(folder, '3.zarr')
    await format.create(v3, 'v/a', small)
    const root = await json(v3, 'zarr.json')
    await writeFile(
      join(v3, 'zarr.json'),
      JSON.stringify({
        ...root,
        consolidated_metadata: { kind: 'inline', must_understand: false, metadata: { 'v/a': { old: true } } },
      }),
    )
    await format.create(v3, 'v/b', small)
    const inline = (await json(v3, 'zarr.json')).consolidated_metadata.metadata
    assert.deepEqual(inline['v/b'], await json(v3, 'v/b/zarr.json'))
    assert.deepEqual(inline['v/a'], { old: true })
  })
})

describe('opening a Zarr array', () => {
  it('lists the existing arrays if the name is wrong, the closest first', async (t) => {
    const folder = await temporaryFolder(t)
    const container = join(folder, 'a.zarr')
    for (const inner of ['labels', 'volumes/raw', 'volumes/mask']) await format.create(container, inner, small)
    await assert.rejects(format.open(container, 'volumes/rwa'), {
      code: 'NO_SUCH_DATASET',
      message: /"volumes\/rwa".*it has volumes\/raw, volumes\/mask, labels/,
    })
    await assert.rejects(format.open(container, 'volumes'), {
      code: 'NOT_A_DATASET',
      message: /volumes is a group.*volumes\/mask, volumes\/raw/,
    })
    await assert.rejects(format.open(container, ''), { code: 'NOT_A_DATASET', message: /labels/ })
    await assert.rejects(format.open(join(folder, 'b.zarr'), 'raw'), {
      code: 'NO_SUCH_FILE',
      message: /b\.zarr does not exist/,
    })
    await writeFile(join(folder, 'c.zarr'), '')
    await assert.rejects(format.open(join(folder, 'c.zarr'), 'raw'), { code: 'NO_SUCH_FILE', message: /is a file/ })
    await mkdir(join(folder, 'd.zarr'))
    await assert.rejects(format.open(join(folder, 'd.zarr'), ''), { code: 'NOT_A_DATASET' })
  })

  it('lists arrays and groups depth first, up to the requested number', async (t) => {
    const container = join(await temporaryFolder(t), 'a.zarr')
    for (const inner of ['labels', 'volumes/raw', 'volumes/mask']) await format.create(container, inner, small)
    const all = await format.list(container, '')
    assert.deepEqual(
      all.map(({ path, kind }) => `${kind} ${path}`),
      ['array labels', 'group volumes', 'array volumes/mask', 'array volumes/raw'],
    )
    assert.deepEqual(await format.list(container, '', { limit: 3 }), all.slice(0, 3))
    assert.deepEqual(await format.list(container, 'volumes'), all.slice(2))
    await assert.rejects(format.list(`${container}x`, ''), { code: 'NO_SUCH_FILE' })
  })

  it('reads arrays with filters, and refuses to write them', async (t) => {
    const container = join(await temporaryFolder(t), 'a.zarr')
    await format.create(container, 'v2', { ...small, zarrFormat: 2 })
    const file = join(container, 'v2', '.zarray')
    await writeFile(file, JSON.stringify({ ...(await json(file)), filters: [{ id: 'delta', dtype: '|u1' }] }))
    const array = await format.open(container, 'v2')
    assert.equal(array.codecs[0], 'delta')
    await assert.rejects(format.open(container, 'v2', { mode: 'r+' }), {
      code: 'UNSUPPORTED_CODEC',
      message: /a\.zarr.*delta/,
    })
  })

  it('warns about chunks whose names are others than its metadata say', async (t) => {
    const folder = await temporaryFolder(t)
    const create = (name: string) =>
      format.create(join(folder, name), '', { shape: [4, 4], chunkShape: [2, 2], dtype: 'uint8', zarrFormat: 2 })
    const ones = new Uint8Array(16).fill(1)
    for (const [name, separator, written, message] of [
      ['a.zarr', undefined, true, /0\/0 .*not read.*dimension_separator": "\/" in .*a\.zarr\/\.zarray/],
      ['b.zarr', '.', true, /0\/0 .*not read/],
      ['c.zarr', '/', false, /0\.0 .*not read.*dimension_separator": "\."/],
    ] as const) {
      const file = join(folder, name, '.zarray')
      await using array = await create(name)
      const good = await json(file)
      if (written) await array.writeVoxels({ offset: [0, 0], shape: [4, 4] }, ones)
      else await writeFile(join(folder, name, '0.0'), new Uint8Array(4))
      await writeFile(file, JSON.stringify({ ...good, dimension_separator: separator }))
      const [warning, ...more] = (await format.open(join(folder, name), '')).warnings ?? []
      assert.match(warning ?? '', message)
      assert.deepEqual(more, [])
      await writeFile(file, JSON.stringify(good))
      if (written) assert.deepEqual((await format.open(join(folder, name), '')).warnings, [])
    }
  })

  it('refuses unsupported metadata, and names the file and the value', async (t) => {
    const container = join(await temporaryFolder(t), 'a.zarr')
    await format.create(container, 'v2', { ...small, zarrFormat: 2 })
    const file = join(container, 'v2', '.zarray')
    const good = await json(file)
    const wrong: readonly (readonly [object | string, string, RegExp])[] = [
      [{ ...good, filters: [{ id: 'delta', dtype: '<u2' }, { id: 'vlen-utf8' }] }, 'UNSUPPORTED_CODEC', /vlen-utf8/],
      [{ ...good, filters: Array(33).fill({ id: 'delta', dtype: '<u2' }) }, 'UNSUPPORTED_CODEC', /33 codecs.*up to 32/],
      [{ ...good, compressor: { id: 'lzma', format: 3 } }, 'UNSUPPORTED_CODEC', /lzma.*raw/],
      [{ ...good, dtype: '<c8' }, 'UNSUPPORTED', /<c8/],
      [{ ...good, dtype: [['a', '<f4']] }, 'UNSUPPORTED', /<f4/],
      [{ ...good, chunks: [0, 2] }, 'INVALID_METADATA', /chunks/],
      [{ ...good, shape: [4] }, 'INVALID_METADATA', /chunks/],
      [{ ...good, fill_value: 300 }, 'INVALID_METADATA', /fill_value 300/],
      [{ ...good, order: 'A' }, 'INVALID_METADATA', /order/],
      ['{"shape": [4', 'INVALID_METADATA', /not JSON/],
      ['[]', 'INVALID_METADATA', /not a JSON object/],
    ]
    for (const [text, code, message] of wrong) {
      await writeFile(file, typeof text === 'string' ? text : JSON.stringify(text))
      await assert.rejects(format.open(container, 'v2'), (error: Error & { code?: string }) => {
        assert.equal(error.code, code, error.message)
        assert.match(error.message, message)
        assert.ok(error.message.includes(file), error.message)
        return true
      })
    }
    await writeFile(file, JSON.stringify({ ...good, fill_value: null, dimension_separator: undefined }))
    assert.equal((await format.open(container, 'v2')).fillValue, 0)
  })

  it('refuses unknown extensions of version 3, except those marked as optional', async (t) => {
    const container = join(await temporaryFolder(t), 'a.zarr')
    await format.create(container, 'raw', small)
    const file = join(container, 'raw', 'zarr.json')
    const good = await json(file)
    const wrong: readonly (readonly [object, string, RegExp])[] = [
      [{ chunk_grid: { name: 'hexagonal' } }, 'UNSUPPORTED', /hexagonal/],
      [
        { codecs: [{ name: 'bytes' }, ...Array(33).fill({ name: 'crc32c' })] },
        'UNSUPPORTED_CODEC',
        /34 codecs.*up to 32/,
      ],
      [{ codecs: [{ name: 'bytes' }, { name: 'pcodec' }] }, 'UNSUPPORTED_CODEC', /pcodec/],
      [{ codecs: [{ name: 'vlen-utf8' }] }, 'UNSUPPORTED_CODEC', /vlen-utf8/],
      [{ data_type: 'string' }, 'UNSUPPORTED', /string/],
      [{ data_type: 'uint16' }, 'INVALID_METADATA', /endian/],
      [{ fill_value: undefined }, 'INVALID_METADATA', /fill_value/],
      [{ masks: { must_understand: true } }, 'UNSUPPORTED', /masks/],
      [{ node_type: 'table' }, 'INVALID_METADATA', /table/],
    ]
    for (const [change, code, message] of wrong) {
      await writeFile(file, JSON.stringify({ ...good, ...change }))
      await assert.rejects(format.open(container, 'raw'), { code, message }, JSON.stringify(change))
    }
    await writeFile(
      file,
      JSON.stringify({
        ...good,
        hints: { must_understand: false },
        codecs: ['bytes', { name: 'numcodecs.zlib', configuration: { level: 2 } }],
      }),
    )
    assert.deepEqual((await format.open(container, 'raw')).codecs, ['zlib:2'])
  })

  it('reports to its caller alone that a new array can not be read', async (t) => {
    const container = join(await temporaryFolder(t), 'a.zarr')
    const metadata = join(container, 'raw', 'zarr.json')
    const failing = (path: unknown) => path === metadata && existsSync(metadata)
    const error = Object.assign(new Error('EIO: i/o error, open'), { code: 'EIO' })
    const { open, openSync } = fs
    t.mock.method(fs, 'openSync', (...args: Parameters<typeof openSync>) => {
      if (failing(args[0])) throw error
      return openSync(...args)
    })
    t.mock.method(fs, 'open', (path: string, flags: string, done: (error: Error | null, file?: number) => void) => {
      if (failing(path)) setImmediate(() => done(error))
      else open(path, flags, done)
    })
    // A rejection of which nobody is told fails the test, too.
    const options = { shape: [4], dtype: 'uint8' } as const
    await assert.rejects(format.create(container, 'raw', options), { code: 'IO_ERROR', message: /zarr\.json: EIO/ })
  })
})
const circular = () => {
  const value: { self?: unknown } = {}
  value.self = value
  return value
}
