import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { Hdf5File } from '../../../src/adapters/hdf5/hdf5-file.ts'
import { hdf5Format } from '../../../src/adapters/hdf5/hdf5-format.ts'
import { bytesOf, type Scalar, type TypedArray, typedArray } from '../../../src/core/array/dtype.ts'
import { type BlockwiseError, ConfigError, type ErrorCode, InfrastructureError } from '../../../src/core/errors.ts'
import { roi } from '../../../src/core/geometry/roi.ts'
import type { ChunkedArray } from '../../../src/ports/chunked-array.ts'
import { sharedDataOrSkip } from '../../support/shared-data.ts'

const fixture = (name: string) => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url))
const format = hdf5Format()
const folder = mkdtempSync(join(tmpdir(), 'bellis hdf5 ünï '))
after(() => rmSync(folder, { recursive: true }))

/** The array that make-fixtures.py wrote: 0, 1, 2, … of shape 5 × 7 × 9. */
const ramp = Array.from({ length: 5 * 7 * 9 }, (_, i) => i)

async function readBox(array: ChunkedArray, offset: readonly number[], shape: readonly number[]): Promise<TypedArray> {
  const into = typedArray(
    array.dtype,
    shape.reduce((product, n) => product * n, 1),
  )
  await array.readVoxels(roi(offset, shape), into)
  return into
}

async function readAll(file: string, inner: string): Promise<{ array: ChunkedArray; data: Scalar[] }> {
  await using array = await format.open(file, inner)
  const data = await readBox(
    array,
    array.shape.map(() => 0),
    array.shape,
  )
  return { array, data: Array.from(data as ArrayLike<Scalar>) }
}

const failsWith = (code: ErrorCode, kind: typeof BlockwiseError, ...texts: readonly RegExp[]) => {
  return (error: unknown) => {
    assert.ok(error instanceof kind, `${error} is not a ${kind.name}`)
    assert.equal(error.code, code)
    assert.ok(!error.message.includes('\n'), 'a message is one line')
    for (const text of texts) assert.match(error.message, text)
    return true
  }
}

const openFiles = () =>
  readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)]
    } catch {
      return []
    }
  })

describe('HDF5: the voxels', () => {
  it('reads a published volume and its labels as h5py does', async (t) => {
    const path = sharedDataOrSkip(t, 'vnc_small.hdf')
    if (path === undefined) return
    const checksums = {
      'volumes/raw': 'fd09639eb0eb51f7e55bf96c845d6825ea6da48afe12df1df266ce688df917a9',
      'volumes/labels/neuron_ids': 'f33d675c3d6c18fae3814464f81c9257eb706c87a18e6d2153f55201c68614bf',
      'volumes/labels/clefts': '4a90d7fd9b9e7be30cb77ff44c4b42898ca68bf40459cfce181dec2cdaa52aa6',
      'volumes/labels/classes': '2a10aaf277783526e0e5fe328a2f300876d3e92585a33c40d11f338e889bfdf3',
    }
    for (const [inner, checksum] of Object.entries(checksums)) {
      await using array = await format.open(path, inner)
      const data = await readBox(array, [0, 0, 0], [20, 256, 384])
      assert.equal(createHash('sha256').update(bytesOf(data)).digest('hex'), checksum, inner)
      assert.deepEqual(array.codecs, ['gzip:4'])
      assert.deepEqual(array.chunkShape, [1, 128, 128])
      assert.deepEqual(
        array.axes.map(({ name, unit, scale }) => [name, unit, scale]),
        [
          ['z', 'nanometer', 50],
          ['y', 'nanometer', 4.6],
          ['x', 'nanometer', 4.6],
        ],
      )
    }
  })

  for (const layout of ['contiguous', 'compact', 'chunked', 'gzip', 'all-filters', 'nbit']) {
    it(`reads a ${layout} dataset`, async () => {
      const { array, data } = await readAll(fixture('layouts.h5'), layout)
      assert.deepEqual(data, ramp)
      assert.equal(array.dtype, 'uint16')
    })
  }

  for (const codec of ['scaleoffset', 'szip']) {
    it(`reads a dataset compressed with ${codec}`, async () => {
      const { array, data } = await readAll(fixture('layouts.h5'), codec)
      assert.deepEqual(
        data,
        ramp.map((value) => Math.floor(value / 16)),
      )
      assert.deepEqual(array.codecs, [codec])
    })
  }

  for (const bits of [8, 16, 32, 64]) {
    for (const kind of ['int', 'uint', 'float']) {
      if (kind === 'float' && bits === 8) continue
      for (const name of bits === 8 ? [`${kind}${bits}`] : [`${kind}${bits}`, `be-${kind}${bits}`]) {
        it(`reads ${name} into the matching typed array`, async () => {
          const { array, data } = await readAll(fixture('dtypes.h5'), name)
          assert.equal(array.dtype, `${kind}${bits}`)
          const expected = typedArray(array.dtype, ramp.length)
          const big = bits === 64 && kind !== 'float'
          ramp.forEach((value, i) => {
            expected[i] = big ? BigInt(value) : value
          })
          assert.deepEqual(data, Array.from(expected as ArrayLike<Scalar>))
        })
      }
    }
  }

  it('reads 64-bit integers beyond 2^53 exactly', async () => {
    const ids = await readAll(fixture('dtypes.h5'), 'huge-ids')
    assert.deepEqual(ids.data, [0n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 2n, 2n ** 64n - 1n])
    const negative = await readAll(fixture('dtypes.h5'), 'negative')
    assert.deepEqual(negative.data, [-(2n ** 63n), -(2n ** 53n) - 1n, -1n])
  })

  it("reads h5py's bool as bool, and other enumerations as their numbers", async () => {
    const bool = await readAll(fixture('dtypes.h5'), 'bool')
    assert.equal(bool.array.dtype, 'bool')
    assert.deepEqual(
      bool.data,
      ramp.map((value) => (value % 2 === 0 ? 1 : 0)),
    )
    const other = await readAll(fixture('dtypes.h5'), 'enum')
    assert.equal(other.array.dtype, 'uint16')
    assert.deepEqual(
      other.data,
      ramp.map((value) => value % 3),
    )
  })

  it('reads a dataset whose type is committed to the file', async () => {
    assert.deepEqual((await readAll(fixture('dtypes.h5'), 'committed')).data, ramp)
  })

  it('reads files of the newest layout, with a user block at the start and attributes in heaps', async () => {
    const { array, data } = await readAll(fixture('external.h5'), 'deep/ramp')
    assert.deepEqual(data, ramp)
    assert.equal(array.fillValue, 9)
    assert.deepEqual(array.attributes['attribute-05'], [0, 1, 2, 3, 4])
  })

  it('V8: reads a virtual dataset, and refuses one whose file is missing instead of making up fill values', async () => {
    const { data } = await readAll(fixture('layouts.h5'), 'virtual')
    assert.deepEqual(data, [...ramp, ...ramp])
    await assert.rejects(
      format.open(fixture('layouts.h5'), 'virtual-gone'),
      failsWith('NO_SUCH_FILE', ConfigError, /no-such-file\.h5/),
    )
  })

  for (const [inner, code, text] of [
    ['passwd', 'UNSUPPORTED', /\/etc\/passwd.*--allow-external/],
    ['link', 'UNSUPPORTED', /elsewhere\.h5.*--allow-external/],
    ['absolute-link', 'UNSUPPORTED', /\/etc\/passwd.*--allow-external/],
    ['virtual-outside', 'UNSUPPORTED', /\/etc\/passwd.*--allow-external/],
    ['virtual-of-passwd', 'UNSUPPORTED', /\/etc\/passwd.*--allow-external/],
    ['virtual-of-link', 'UNSUPPORTED', /\/etc\/passwd.*--allow-external/],
    ['virtual-no-dataset', 'NO_SUCH_DATASET', /virtual dataset.*deep\/no-such-dataset/],
    ['virtual-of-group', 'NO_SUCH_DATASET', /virtual dataset.*deep/],
    ['raw-gone', 'UNSUPPORTED', /no-such-file\.raw/],
  ] as const) {
    it(`V7: refuses ${inner}: nothing outside the folder is read, and nothing is made up`, async () => {
      await assert.rejects(format.open(fixture('outside.h5'), inner), failsWith(code, ConfigError, text))
    })
  }

  it('V7: reads no source of a virtual dataset that a link has put elsewhere since the dataset was opened', {
    skip: process.platform !== 'linux' && 'not noticed elsewhere',
  }, async () => {
    const inside = join(folder, 'inside')
    mkdirSync(inside)
    copyFileSync(fixture('layouts.h5'), join(inside, 'layouts.h5'))
    for (const at of [folder, inside]) copyFileSync(fixture('external.h5'), join(at, 'external.h5'))
    const read = async (array: ChunkedArray) => readBox(array, [0, 0, 0, 0], array.shape)
    await using array = await format.open(join(inside, 'layouts.h5'), 'virtual')
    await using allowed = await format.open(join(inside, 'layouts.h5'), 'virtual', { allowExternal: true })
    await read(array)
    rmSync(join(inside, 'external.h5'))
    symlinkSync('../external.h5', join(inside, 'external.h5'))
    const refused = failsWith('UNSUPPORTED', ConfigError, /external\.h5", outside the folder.*--allow-external/)
    await assert.rejects(read(array), refused)
    assert.deepEqual(Array.from((await read(allowed)) as ArrayLike<Scalar>), [...ramp, ...ramp])
    await assert.rejects(read(array), refused)
  })

  it('reads files outside the folder if that is allowed, and then reports those that are missing', async () => {
    await using array = await format.open(fixture('outside.h5'), 'passwd', { allowExternal: true })
    const into = new Uint8Array(64)
    await array.readVoxels(roi([0], [64]), into)
    assert.deepEqual(Buffer.from(into), readFileSync('/etc/passwd').subarray(0, 64))
    await assert.rejects(
      hdf5Format({ allowExternal: () => true }).open(fixture('outside.h5'), 'raw-gone'),
      failsWith('NO_SUCH_FILE', ConfigError, /no-such-file\.raw/),
    )
  })

  it('returns the fill value for voxels that were never written', async () => {
    const fills: Record<string, Scalar> = {
      default: 0,
      uint64: 2n ** 64n - 1n,
      float32: Number.NaN,
      'int16-be': -300,
      contiguous: 42,
    }
    for (const [name, value] of Object.entries(fills)) {
      const { array, data } = await readAll(fixture('layouts.h5'), `fill/${name}`)
      assert.deepEqual(array.fillValue, value, name)
      assert.deepEqual(data, Array(ramp.length).fill(value), name)
    }
    const { data } = await readAll(fixture('layouts.h5'), 'fill/partly')
    const inside = (i: number) => i % 9 < 4 && Math.floor(i / 9) % 7 < 3 && i < 2 * 63
    assert.deepEqual(
      data,
      ramp.map((value) => (inside(value) ? value : 777)),
    )
  })

  it('reads an array with an axis of length 0', async () => {
    await using array = await format.open(fixture('layouts.h5'), 'no-length')
    assert.deepEqual(array.shape, [0, 7])
    assert.deepEqual(Array.from((await readBox(array, [0, 0], [1, 2])) as ArrayLike<Scalar>), [0, 0])
  })

  it('reads voxels stored beyond 4 GiB in a file', async () => {
    // A sparse file: the voxels of a small file are moved far out, and the two addresses that refer to them are changed.
    const path = join(folder, 'huge.h5')
    copyFileSync(fixture('layouts.h5'), path)
    const file = await Hdf5File.open(path)
    const layout = file.inspectHeader('contiguous', (_fd, _block, messages) => messages.find(({ type }) => type === 8))
    file.release()
    assert.deepEqual([...layout!.data.subarray(0, 2)], [3, 1], 'a contiguous layout, version 3')
    const far = 5 * 2 ** 30
    const address = (value: number) => new Uint8Array(BigUint64Array.of(BigInt(value)).buffer)
    const fd = openSync(path, 'r+')
    writeSync(fd, new Uint8Array(Uint16Array.from(ramp).buffer), 0, 630, far)
    writeSync(fd, address(far), 0, 8, layout!.position + 2)
    writeSync(fd, address(far + 630), 0, 8, 40)
    closeSync(fd)
    const { data } = await readAll(path, 'contiguous')
    rmSync(path)
    assert.deepEqual(data, ramp)
  })

  it('reads any box correctly, with a cache of any size, once or repeatedly', async () => {
    const box = fc.tuple(
      fc.array(fc.integer({ min: -3, max: 9 }), { minLength: 3, maxLength: 3 }),
      fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 3, maxLength: 3 }),
    )
    const layouts = fc.constantFrom('contiguous', 'chunked', 'gzip', 'all-filters', 'fill/partly')
    await fc.assert(
      fc.asyncProperty(
        layouts,
        fc.constantFrom(0, 200, 2 ** 20),
        fc.array(box, { minLength: 1, maxLength: 4 }),
        async (inner, cacheBytes, boxes) => {
          await using array = await hdf5Format({ cacheBytes }).open(fixture('layouts.h5'), inner)
          for (const [offset, shape] of boxes) {
            const data = await readBox(array, offset, shape)
            assert.deepEqual(Array.from(data as ArrayLike<Scalar>), expectedBox(inner, offset, shape))
          }
        },
      ),
      { numRuns: 150 },
    )
  })

  it('reads two boxes at once, and stops at an aborted signal', async () => {
    await using array = await format.open(fixture('layouts.h5'), 'gzip')
    const [a, b] = await Promise.all([readBox(array, [0, 0, 0], [5, 7, 9]), readBox(array, [1, 1, 1], [1, 1, 3])])
    assert.deepEqual([...(a as Uint16Array)], ramp)
    assert.deepEqual([...(b as Uint16Array)], [73, 74, 75])
    const reason = new Error('stopped')
    const reading = array.readVoxels(roi([0, 0, 0], [1, 1, 1]), new Uint16Array(1), {
      signal: AbortSignal.abort(reason),
    })
    await assert.rejects(reading, reason)
  })

  function expectedBox(inner: string, offset: readonly number[], shape: readonly number[]): number[] {
    const fill = inner === 'fill/partly' ? 777 : 0
    const written = inner === 'fill/partly' ? [2, 3, 4] : [5, 7, 9]
    const values: number[] = []
    for (let z = offset[0]!; z < offset[0]! + shape[0]!; z++) {
      for (let y = offset[1]!; y < offset[1]! + shape[1]!; y++) {
        for (let x = offset[2]!; x < offset[2]! + shape[2]!; x++) {
          const inside = [z, y, x].every((value, axis) => value >= 0 && value < written[axis]!)
          values.push(inside ? z * 63 + y * 9 + x : fill)
        }
      }
    }
    return values
  }
})

describe('HDF5: placement', () => {
  it('reads resolution and offset as CREMI writes them, and keeps the other attributes as JSON', async () => {
    const { array } = await readAll(fixture('places.h5'), 'places/cremi')
    assert.deepEqual(array.axes, [
      { name: 'z', type: 'space', unit: 'nanometer', scale: 40, translation: 1520, translationOf: 'edge' },
      { name: 'y', type: 'space', unit: 'nanometer', scale: 4, translation: 3644, translationOf: 'edge' },
      { name: 'x', type: 'space', unit: 'nanometer', scale: 4, translation: 3644, translationOf: 'edge' },
    ])
    assert.deepEqual(array.attributes, {
      comment: 'text with ünïcode',
      largest: '18446744073709551615',
      table: [
        [0, 1, 2],
        [3, 4, 5],
      ],
      flag: true,
      names: ['one', '', 'three'],
      fixed: 'fixed',
      nothing: null,
      half: 0.5,
      limits: ['NaN', 'Infinity'],
      record: '(an HDF5 attribute of type class 6, which has no JSON form)',
    })
    assert.doesNotThrow(() => JSON.stringify(array.attributes))
  })

  it('takes the axes before those with a resolution as channels, and reads float32 numbers as the decimals that were meant', async () => {
    const { array } = await readAll(fixture('places.h5'), 'places/channels')
    assert.deepEqual(array.axes, [
      { name: 'c', type: 'channel' },
      { name: 'z', type: 'space', unit: 'nanometer', scale: 50 },
      { name: 'y', type: 'space', unit: 'nanometer', scale: 4.6 },
      { name: 'x', type: 'space', unit: 'nanometer', scale: 4.6 },
    ])
  })

  it("reads funlib's voxel_size, offset, units and axis names", async () => {
    const { array } = await readAll(fixture('places.h5'), 'places/funlib')
    assert.deepEqual(array.axes, [
      { name: 'c', type: 'channel' },
      { name: 'depth', type: 'space', unit: 'um', scale: 8, translation: 80, translationOf: 'edge' },
      { name: 'y', type: 'space', unit: 'nm', scale: 4, translation: 0, translationOf: 'edge' },
      { name: 'x', type: 'space', unit: 'nm', scale: 2, translation: -2, translationOf: 'edge' },
    ])
    assert.deepEqual(array.attributes, {})
  })

  it('has no placement if the file has none', async () => {
    const { array } = await readAll(fixture('layouts.h5'), 'channels')
    assert.deepEqual(array.axes, [
      { name: 'c', type: 'channel' },
      { name: 'z', type: 'space' },
      { name: 'y', type: 'space' },
      { name: 'x', type: 'space' },
    ])
  })

  it('refuses a resolution with more entries than axes', async () => {
    await assert.rejects(
      format.open(fixture('places.h5'), 'places/too-long'),
      failsWith('INVALID_METADATA', ConfigError, /2 axes/, /resolution/, /40, 4, 4/),
    )
  })
})

describe('HDF5: paths', () => {
  it('lists groups and datasets depth first, shows links without following them, and omits broken links', async () => {
    const entries = await format.list(fixture('places.h5'), 'links')
    assert.deepEqual(
      entries.map(({ path, kind }) => `${path} ${kind}`),
      [
        'links/cycle group',
        'links/external array',
        'links/group group',
        'links/hard array',
        'links/relative array',
        'links/soft array',
      ],
    )
    assert.equal((await format.list(fixture('layouts.h5'), '', { limit: 3 })).length, 3)
  })

  it('follows soft, hard and external links, also in the middle of a path', async () => {
    for (const path of [
      'links/soft',
      'links/relative',
      'links/hard',
      '/links//cycle/cycle/soft/',
      'links/group/cremi',
      'links/external',
    ]) {
      assert.deepEqual((await readAll(fixture('places.h5'), path)).data, ramp, path)
    }
    assert.equal((await readAll(fixture('places.h5'), 'links/external')).array.fillValue, 9)
  })

  it('names the link that is broken, part of a cycle, or to a missing file', async () => {
    const open = (path: string) => format.open(fixture('places.h5'), path)
    await assert.rejects(
      open('links/dangling'),
      failsWith('NO_SUCH_DATASET', ConfigError, /nowhere/, /soft link "links\/dangling"/),
    )
    await assert.rejects(open('links/loop'), failsWith('NO_SUCH_DATASET', ConfigError, /more than 16 links/))
    await assert.rejects(
      open('links/external-gone'),
      failsWith('NO_SUCH_FILE', ConfigError, /no-such-file\.h5/, /external link/),
    )
  })

  it('lists the existing datasets if the requested one is missing or is a group', async () => {
    await assert.rejects(
      format.open(fixture('external.h5'), 'deep/rump'),
      failsWith('NO_SUCH_DATASET', ConfigError, /"deep\/rump"/, /it has deep\/ramp/),
    )
    await assert.rejects(
      format.open(fixture('external.h5'), 'deep/ramp/more'),
      failsWith('NO_SUCH_DATASET', ConfigError, /"deep\/ramp\/more"/),
    )
    await assert.rejects(
      format.open(fixture('external.h5'), 'deep'),
      failsWith('NOT_A_DATASET', ConfigError, /group; it has deep\/ramp/),
    )
    await assert.rejects(format.open(fixture('external.h5'), ''), failsWith('NOT_A_DATASET', ConfigError, /deep\/ramp/))
    await assert.rejects(
      format.open(fixture('dtypes.h5'), 'type'),
      failsWith('NOT_A_DATASET', ConfigError, /named type/),
    )
  })

  it('opens files and datasets with spaces and non-ASCII letters in their names', async () => {
    const path = join(folder, 'ein Blöck 体积.h5')
    copyFileSync(fixture('places.h5'), path)
    const { array, data } = await readAll(path, 'ünï code/wîth späce')
    assert.deepEqual(data, ramp)
    assert.equal(array.path, `${path}/ünï code/wîth späce`)
  })

  it('opens a file once for all its arrays, and closes it with the last one', {
    skip: process.platform !== 'linux',
  }, async () => {
    const path = join(folder, 'shared.h5')
    copyFileSync(fixture('layouts.h5'), path)
    const count = () => openFiles().filter((name) => name === path).length
    const [a, b] = await Promise.all([format.open(path, 'gzip'), format.open(path, 'chunked')])
    // By the library and for headers and chunks that are read past it.
    assert.equal(count(), 2)
    await a[Symbol.asyncDispose]()
    await a[Symbol.asyncDispose]()
    assert.equal(count(), 2)
    assert.deepEqual([...((await readBox(b, [0, 0, 0], [5, 7, 9])) as Uint16Array)], ramp)
    await assert.rejects(readBox(a, [0, 0, 0], [1, 1, 1]), failsWith('IO_ERROR', InfrastructureError, /closed/))
    await b[Symbol.asyncDispose]()
    assert.equal(count(), 0)
    await assert.rejects(format.open(path, 'nope'), ConfigError)
    await assert.rejects(format.open(path, 'contiguous/nope'), ConfigError)
    assert.equal(count(), 0, 'a failed open leaves nothing open')
  })

  it('reads the new file if it was replaced by renaming', async () => {
    const path = join(folder, 'replaced.h5')
    copyFileSync(fixture('layouts.h5'), path)
    await using old = await format.open(path, 'gzip')
    copyFileSync(fixture('dtypes.h5'), `${path}.new`)
    renameSync(`${path}.new`, path)
    assert.equal((await readAll(path, 'int8')).array.dtype, 'int8')
    assert.deepEqual([...((await readBox(old, [0, 0, 0], [5, 7, 9])) as Uint16Array)], ramp)
  })
})

describe('HDF5: refusals', () => {
  const refused: Record<string, RegExp> = {
    strings: /strings/,
    'fixed-strings': /strings/,
    compound: /compound/,
    lists: /variable-length lists/,
    scalar: /single value/,
    empty: /is empty/,
    bfloat16: /not IEEE 754/,
    'twelve-bits': /some of their bits/,
    'enum-be': /big-endian enumeration/,
  }
  for (const [name, text] of Object.entries(refused)) {
    it(`refuses a dataset of ${name} with a clear message`, async () => {
      await assert.rejects(format.open(fixture('dtypes.h5'), name), failsWith('UNSUPPORTED', ConfigError, text))
    })
  }

  it('refuses an unsupported filter by name and number, with a remedy', async () => {
    await assert.rejects(
      format.open(fixture('other-filters.h5'), 'zfp'),
      failsWith('UNSUPPORTED_CODEC', ConfigError, /"zfp" \(HDF5 filter 32013\)/, /h5repack -f GZIP=4/),
    )
    await assert.rejects(
      format.open(fixture('other-filters.h5'), 'unknown'),
      failsWith('UNSUPPORTED_CODEC', ConfigError, /\(HDF5 filter 40000\)/),
    )
  })

  for (const name of ['gzip', 'fletcher32']) {
    it(`D4: throws at a damaged ${name} chunk, prints nothing, and can read the other chunks`, async () => {
      await using array = await format.open(fixture('damaged.h5'), name)
      const into = new Uint16Array(315)
      await assert.rejects(array.readVoxels(roi([0, 0, 0], [5, 7, 9]), into), (error: Error) => {
        failsWith('CORRUPT_DATA', InfrastructureError, /damaged\.h5/, /2:4,0:7,0:9/)(error)
        assert.match((error.cause as Error).message, /H5Dread/, "HDF5's own words are kept")
        return true
      })
      const good = (await readBox(array, [0, 0, 0], [2, 7, 9])) as Uint16Array
      assert.deepEqual(
        [...good],
        ramp.slice(0, 126).map((value) => (name === 'gzip' ? Math.floor(value / 16) : value)),
      )
    })
  }

  it('reports a truncated file with its actual and its expected length', async () => {
    const path = join(folder, 'truncated.h5')
    copyFileSync(fixture('layouts.h5'), path)
    truncateSync(path, 40_000)
    await assert.rejects(
      format.open(path, 'gzip'),
      failsWith('CORRUPT_DATA', InfrastructureError, /truncated: expected \d+ bytes, got 40000/),
    )
    truncateSync(path, 30)
    await assert.rejects(format.open(path, 'gzip'), failsWith('CORRUPT_DATA', InfrastructureError, /truncated/))
  })

  it('throws at a file whose middle is missing', async () => {
    const path = join(folder, 'hollow.h5')
    copyFileSync(fixture('external.h5'), path)
    const bytes = Buffer.alloc(6000)
    const fd = openSync(path, 'r+')
    writeSync(fd, bytes, 0, bytes.length, 600)
    closeSync(fd)
    await assert.rejects(format.open(path, 'deep/ramp'), failsWith('CORRUPT_DATA', InfrastructureError, /hollow\.h5/))
  })

  it('distinguishes a missing file, a folder and a file of another format', async () => {
    await assert.rejects(format.open(join(folder, 'nope.h5'), 'a'), failsWith('NO_SUCH_FILE', ConfigError, /nope\.h5/))
    await assert.rejects(format.open(folder, 'a'), failsWith('INVALID_METADATA', ConfigError, /folder/))
    const path = join(folder, 'text.h5')
    writeFileSync(path, 'not HDF5 at all')
    await assert.rejects(format.open(path, 'a'), failsWith('INVALID_METADATA', ConfigError, /not an HDF5 file/))
    writeFileSync(path, '')
    await assert.rejects(format.list(path, ''), failsWith('INVALID_METADATA', ConfigError, /not an HDF5 file/))
  })

  it('never writes into a file that is there, and never opens one for writing', async () => {
    const path = fixture('layouts.h5')
    const options = { shape: [1], dtype: 'uint8' } as const
    const readOnly = failsWith('UNSUPPORTED', ConfigError, /written once, by a run/)
    await assert.rejects(format.create(path, 'x', options), readOnly)
    await assert.rejects(format.planCreate(path, 'x', options), readOnly)
    await assert.rejects(format.open(path, 'gzip', { mode: 'r+' }), readOnly)
    await using array = await format.open(path, 'gzip')
    assert.equal(array.writable, false)
    await assert.rejects(
      array.writeVoxels(roi([0, 0, 0], [1, 1, 1]), new Uint16Array(1)),
      failsWith('READ_ONLY', ConfigError),
    )
  })

  it('refuses memory of another dtype, size or rank', async () => {
    await using array = await format.open(fixture('layouts.h5'), 'gzip')
    const read = (shape: number[], into: TypedArray) =>
      array.readVoxels(
        roi(
          shape.map(() => 0),
          shape,
        ),
        into,
      )
    await assert.rejects(
      read([1, 1, 2], new Int16Array(2)),
      failsWith('DTYPE_MISMATCH', ConfigError, /uint16/, /Int16Array/),
    )
    await assert.rejects(
      read([1, 1, 2], new Uint16Array(3)),
      failsWith('SHAPE_MISMATCH', ConfigError, /expected 2 for a box/, /3/),
    )
    await assert.rejects(read([1, 2], new Uint16Array(2)), failsWith('RANK_MISMATCH', ConfigError))
  })
})
