import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, beforeEach, describe, it, type TestContext } from 'node:test'
import { gzipSync } from 'node:zlib'
import h5wasm from 'h5wasm/node'
import { flatFormat } from '../../../src/adapters/flat/flat-format.ts'
import { hdf5Format } from '../../../src/adapters/hdf5/hdf5-format.ts'
import { BLOCK_BYTES } from '../../../src/adapters/ranges/remote-bytes.ts'
import { s3Bucket } from '../../../src/adapters/s3/s3-bucket.ts'
import { tiffFormat } from '../../../src/adapters/tiff/tiff-format.ts'
import { productOf } from '../../../src/core/geometry/coordinate.ts'
import { type Roi, roi } from '../../../src/core/geometry/roi.ts'
import type { ChunkedArray } from '../../../src/ports/chunked-array.ts'
import { hdf5FileOf, tiffFileOf } from '../../support/contract-files.ts'
import { npyBytes } from '../../support/flat-files.ts'
import { pythonOrSkip, runPython } from '../../support/python.ts'
import { serveRanges } from '../../support/range-server.ts'
import { s3OrSkip } from '../../support/s3.ts'
import { noise, temporaryFolder } from '../../support/zarr.ts'

const web = await serveRanges()
after(() => web[Symbol.asyncDispose]())
const ranges = { retryDelayMs: 1, retries: 2 }
const hdf5 = hdf5Format({ ranges })
const tiff = tiffFormat(ranges)
const flat = flatFormat({ ranges })

beforeEach(() => {
  web.files.clear()
  web.asked.length = 0
  web.fault = undefined
  Object.assign(web, { knowsRanges: true, names: 'etag', knowsConditions: true })
})

/** Some megabytes, which nothing compresses. */
const shape = [48, 160, 200]
const voxels = noise('uint16', productOf(shape), 5) as Uint16Array
const all = roi<'voxel'>([0, 0, 0], shape)
const wanted = { shape, dtype: 'uint16', chunkShape: [16, 40, 50], fillValue: 0 } as const

async function read(array: ChunkedArray, box: Roi<'voxel'> = all): Promise<Uint16Array> {
  const into = new Uint16Array(productOf(box.shape)).fill(0xabcd)
  await array.readVoxels(box, into)
  return into
}

const fileOf = async (t: TestContext, storage: Parameters<typeof hdf5FileOf>[3] = 'gzip') =>
  readFileSync(await hdf5FileOf(t, wanted, voxels, storage))
const serve = (path: string, bytes: Uint8Array): string => {
  web.files.set(path, bytes)
  return web.address + path
}

/** Writes an HDF5 file with h5wasm. */
async function makeFile(t: TestContext, fill: (file: InstanceType<typeof h5wasm.File>) => void): Promise<Buffer> {
  await h5wasm.ready
  const path = join(await temporaryFolder(t), 'made.h5')
  const file = new h5wasm.File(path, 'w')
  fill(file)
  file.close()
  return readFileSync(path)
}

describe('a file behind an address', () => {
  it('is read as the same file on a disk, whatever its layout, by ranges of which few overlap', async (t) => {
    for (const [name, open, bytes] of [
      ['gzip.h5', hdf5, await fileOf(t)],
      ['chunks.h5', hdf5, await fileOf(t, 'chunks')],
      ['plain.h5', hdf5, await fileOf(t, 'one piece')],
      ['a.tif', tiff, tiffFileOf(wanted, voxels)],
      ['a.npy', flat, npyBytes(shape, 'uint16', voxels)],
    ] as const) {
      web.asked.length = 0
      await using array = await open.open(serve(`/${name}`, bytes), open === hdf5 ? 'raw' : '')
      assert.deepEqual(await read(array), voxels, name)
      const asked = web.asked.map(({ range }) => /^bytes=(\d+)-(\d+)$/.exec(range)?.slice(1).map(Number) ?? [])
      const sent = asked.reduce((sum, [first = 0, last = 0]) => sum + last + 1 - first, 0)
      assert.ok(sent < 1.3 * bytes.length, `${name}: ${sent} bytes for ${bytes.length}`)
      assert.ok(asked.length <= 30, `${name}: ${asked.length} requests`)
      assert.ok(asked.every(([first = 0]) => first % BLOCK_BYTES === 0))
    }
  })

  it('is read in part for a part, and what is at hand is not read again', async (t) => {
    for (const storage of ['gzip', 'chunks', 'one piece'] as const) {
      await using array = await hdf5.open(serve(`/${storage}.h5`, await fileOf(t, storage)), 'raw')
      const box = roi<'voxel'>([17, 41, 3], [9, 30, 20])
      const expected = Uint16Array.from({ length: productOf(box.shape) }, (_, i) => {
        const [z, y, x] = [Math.floor(i / 600) + 17, (Math.floor(i / 20) % 30) + 41, (i % 20) + 3]
        return voxels[(z * 160 + y) * 200 + x] as number
      })
      web.asked.length = 0
      assert.deepEqual(await read(array, box), expected)
      assert.ok(web.asked.length <= 9, `${storage}: ${web.asked.length} requests`)
      web.asked.length = 0
      assert.deepEqual(await read(array, box), expected)
      assert.deepEqual(web.asked, [])
    }
  })

  it('V12: is of one version: once it was replaced, reads fail, and nothing of the new one is returned', async (t) => {
    const [old, other] = [await fileOf(t, 'one piece'), await fileOf(t, 'one piece')]
    other.fill(0x55, 100_000)
    for (const [names, knowsConditions, grows] of [
      ['etag', true, false],
      ['etag', false, false],
      ['last-modified', true, true],
      ['last-modified', false, true],
      ['nothing', false, true],
    ] as const) {
      Object.assign(web, { names, knowsConditions })
      const address = serve('/a.h5', old)
      await using array = await hdf5.open(address, 'raw')
      assert.equal((await read(array, roi([0, 0, 0], [1, 1, 1])))[0], voxels[0])
      web.files.set('/a.h5', grows ? Buffer.concat([other, Buffer.alloc(7)]) : other)
      for (const _ of [1, 2]) await assert.rejects(read(array), { code: 'IO_ERROR', message: /it was replaced/ })
      // Opened again, it is the new one.
      await using again = await hdf5.open(address, 'raw')
      assert.equal((await read(again)).at(-1), 0x5555)
    }
  })

  it('that is removed or forbidden later fails to be read, and one that is missing is not opened', async (t) => {
    const address = serve('/a.h5', await fileOf(t, 'one piece'))
    await using array = await hdf5.open(address, 'raw')
    web.files.clear()
    await assert.rejects(read(array), { code: 'IO_ERROR', message: /was removed, or its address has expired/ })
    for (const [format, name] of [
      [hdf5, 'a.h5'],
      [tiff, 'a.tif'],
      [flat, 'a.npy'],
    ] as const) {
      await assert.rejects(format.open(`${web.address}/${name}?sig=secret`, ''), (error: Error) => {
        assert.match(error.message, /There is no file http.*; check the address, and whether it has expired/)
        assert.doesNotMatch(error.message, /secret/)
        return true
      })
    }
  })

  it('is read whole from a server without ranges if it is small, and otherwise refused in words', async () => {
    web.knowsRanges = false
    await using array = await flat.open(serve('/a.npy', npyBytes([3], 'uint8', Uint8Array.of(1, 2, 3))), '')
    const into = new Uint8Array(3)
    await array.readVoxels(roi([0], [3]), into)
    assert.deepEqual([...into], [1, 2, 3])
    const large = serve('/b.npy', new Uint8Array(17 * 2 ** 20))
    await assert.rejects(flat.open(large, ''), { code: 'IO_ERROR', message: /sends no parts of files \(ranges\)/ })
    web.knowsRanges = true
    web.fault = ({ range }) => (range.endsWith('-65535') ? undefined : { change: (body) => body.subarray(1) })
    await using wrong = await flat.open(serve('/c.npy', npyBytes(shape, 'uint16', voxels)), '')
    await assert.rejects(read(wrong), { code: 'IO_ERROR', message: /the server sent \d+ of \d+ bytes/ })
  })

  it('is read by a server that is slow, fails or hangs, as long as a retry succeeds', async (t) => {
    const patient = hdf5Format({ ranges: { ...ranges, timeoutMs: 150 } })
    const address = serve('/a.h5', await fileOf(t))
    const seen = new Set<string>()
    const faults = [
      { status: 503 },
      { reset: 'before' },
      { cutAfter: 10 },
      { stallAfter: 10 },
      { status: 429 },
    ] as const
    web.fault = ({ range }) => {
      if (seen.has(range)) return undefined
      seen.add(range)
      return faults[seen.size % faults.length]
    }
    await using array = await patient.open(address, 'raw')
    assert.deepEqual(await read(array), voxels)
    assert.ok(seen.size > 1)
    web.fault = ({ range }) => (range.startsWith('bytes=0-') ? undefined : { status: 500 })
    await using other = await patient.open(serve('/b.h5', await fileOf(t)), 'raw').catch(() => array)
    if (other !== array) await assert.rejects(read(other), { code: 'IO_ERROR', message: /status 500/ })
  })

  it('stops for a signal while it waits', async () => {
    await using array = await flat.open(serve('/a.npy', npyBytes(shape, 'uint16', voxels)), '')
    const stop = new AbortController()
    web.fault = () => {
      stop.abort(new Error('enough'))
      return { stallAfter: 1 }
    }
    const into = new Uint16Array(voxels.length)
    await assert.rejects(array.readVoxels(all, into, { signal: stop.signal }), /enough/)
  })

  it('keeps the query of a signed address, also for the files that it names', async () => {
    web.fault = ({ path }) => (path.endsWith('?sig=a%2Fb') || path.endsWith('?sig=a/b') ? undefined : { status: 403 })
    const header = 'NRRD0004\ntype: uint8\ndimension: 1\nsizes: 4\nencoding: raw\ndata file: voxels x.raw\n\n'
    web.files.set('/d/voxels x.raw', Uint8Array.of(4, 3, 2, 1))
    serve('/d/a.nhdr', Buffer.from(header))
    await using array = await flat.open(`${web.address}/d/a.nhdr?sig=a%2Fb`, '')
    const into = new Uint8Array(4)
    await array.readVoxels(roi([0], [4]), into)
    assert.deepEqual([...into], [4, 3, 2, 1])
    assert.equal(array.path, `${web.address}/d/a.nhdr`)
  })

  it('is decompressed if it is compressed as a whole, and reads what lies outside its folder only if that is allowed', async () => {
    const nrrd = (data: string, encoding = 'raw') =>
      Buffer.from(`NRRD0004\ntype: uint8\ndimension: 1\nsizes: 4\nencoding: ${encoding}\n${data}\n`)
    const packed = Buffer.concat([nrrd('', 'gzip'), gzipSync(Uint8Array.of(9, 8, 7, 6))])
    await using array = await flat.open(serve('/d/a.nrrd', packed), '')
    const into = new Uint8Array(4)
    await array.readVoxels(roi([0], [4]), into)
    assert.deepEqual([...into], [9, 8, 7, 6])
    const outside = serve('/d/b.nhdr', nrrd('data file: ../c.raw\n'))
    web.files.set('/c.raw', Uint8Array.of(1, 2, 3, 4))
    await assert.rejects(flat.open(outside, ''), { code: 'UNSUPPORTED', message: /allow that with --allow-external/ })
    await using allowed = await flat.open(outside, '', { allowExternal: true })
    await allowed.readVoxels(roi([0], [4]), into)
    assert.deepEqual([...into], [1, 2, 3, 4])
    // A file of this machine is never meant.
    await assert.rejects(
      flat.open(serve('/d/e.nhdr', nrrd('data file: /etc/hostname\n')), '', { allowExternal: true }),
      {
        message: /There is no file http:.*\/d\/hostname/,
      },
    )
  })
})

describe('HDF5 behind an address', () => {
  it('lists its datasets, and follows soft links and links to files beside it', async (t) => {
    const main = await makeFile(t, (file) => {
      file.create_group('g').create_dataset({ name: 'own', data: new Uint8Array(8), shape: [8] })
      file.create_soft_link('/g/own', 'soft')
      file.create_external_link('other b.h5', '/x', 'beside')
      file.create_external_link('../up.h5', '/x', 'above')
      file.create_external_link('/etc/passwd', '/x', 'local')
    })
    const other = await makeFile(t, (file) => file.create_dataset({ name: 'x', data: Uint8Array.of(5, 6), shape: [2] }))
    const address = serve('/d/a.h5', main)
    for (const name of ['/d/other b.h5', '/up.h5']) web.files.set(name, other)
    const found = await hdf5.list(address, '')
    assert.ok(found.some(({ path }) => path === 'g/own') && found.some(({ path }) => path === 'soft'))
    await using soft = await hdf5.open(address, 'soft')
    assert.deepEqual(soft.shape, [8])
    const into = new Uint8Array(2)
    await using beside = await hdf5.open(address, 'beside')
    await beside.readVoxels(roi([0], [2]), into)
    assert.deepEqual([...into], [5, 6])
    await assert.rejects(hdf5.open(address, 'above'), { code: 'UNSUPPORTED', message: /--allow-external/ })
    await using above = await hdf5.open(address, 'above', { allowExternal: true })
    assert.deepEqual(above.shape, [2])
    await assert.rejects(hdf5.open(address, 'local', { allowExternal: true }), { message: /no file http.*\/d\/passwd/ })
    await assert.rejects(hdf5.open(address, 'none'), { code: 'NO_SUCH_DATASET', message: /it has .*g\/own/ })
  })

  it('reads virtual datasets whose sources lie beside the file, and none that lie elsewhere', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    const folder = await temporaryFolder(t)
    mkdirSync(join(folder, 'parts'))
    await runPython(python, new URL('make-virtual.py', import.meta.url), [folder])
    const names = ['main.h5', 'raw.h5', 'parts/p0.h5', 'parts/p1.h5']
    for (const name of names) web.files.set(`/d/${name}`, readFileSync(join(folder, name)))
    const { buffer } = Uint8Array.from(readFileSync(join(folder, 'voxels.bin')))
    const whole = roi<'voxel'>([0, 0, 0, 0], [3, 40, 60, 50])
    {
      await using array = await hdf5.open(`${web.address}/d/main.h5`, 'all')
      assert.deepEqual(await read(array, whole), new Uint16Array(buffer))
    }
    for (const missing of ['away', 'all']) {
      web.files.delete('/d/parts/p0.h5')
      await assert.rejects(hdf5.open(`${web.address}/d/main.h5`, missing), {
        code: 'NO_SUCH_FILE',
        message: /is a virtual dataset, and its source can't be read: There is no file http.*p0\.h5/,
      })
    }
    await assert.rejects(hdf5.open(`${web.address}/d/raw.h5`, 'raw', { allowExternal: true }), {
      code: 'UNSUPPORTED',
      message: /has its voxels in another file .* which is read from disks only/,
    })
  })

  it('has the voxel size of the XML file of BigDataViewer beside it', async (t) => {
    const bytes = await makeFile(t, (file) => {
      const resolutions = { data: new Float64Array([1, 1, 1]), shape: [1, 3], dtype: '<d' }
      file.create_group('s00').create_dataset({ name: 'resolutions', ...resolutions })
      const cells = file.create_group('t00000').create_group('s00').create_group('0')
      cells.create_dataset({ name: 'cells', data: new Int16Array(8), shape: [2, 2, 2], dtype: '<h', chunks: [1, 2, 2] })
    })
    const address = serve('/d/data.h5', bytes)
    const xml = '<ViewSetup><id>0</id><voxelSize><unit>um</unit><size>1 2 3</size></voxelSize></ViewSetup>'
    for (const [text, scales] of [
      [undefined, [1, 1, 1]],
      [`<S>${xml}</S>`, [3, 2, 1]],
    ] as const) {
      if (text !== undefined) serve('/d/data.xml', Buffer.from(text))
      await using array = await hdf5.open(address, 't00000/s00/0/cells')
      assert.deepEqual(
        array.axes.map(({ scale }) => scale),
        scales,
      )
    }
  })

  it('that is damaged or no HDF5 is refused with the same words as on a disk', async (t) => {
    await assert.rejects(hdf5.open(serve('/no.h5', Buffer.from('text')), 'raw'), { code: 'INVALID_METADATA' })
    const cut = (await fileOf(t)).subarray(0, -100)
    await assert.rejects(hdf5.open(serve('/cut.h5', cut), 'raw'), { code: 'CORRUPT_DATA', message: /is truncated/ })
    const broken = await fileOf(t)
    broken.fill(0xff, broken.length / 2, broken.length / 2 + 100_000)
    const path = join(await temporaryFolder(t), 'broken.h5')
    writeFileSync(path, broken)
    const failures = []
    for (const place of [path, serve('/broken.h5', broken)]) {
      await using array = await hdf5.open(place, 'raw')
      failures.push(await read(array).catch((error) => [error.code, error.message.replaceAll(place, 'PLACE')]))
    }
    assert.equal((failures[0] as string[])[0], 'CORRUPT_DATA')
    assert.deepEqual(failures[1], failures[0])
  })

  it('does not see files on disks, nor a file on a disk those behind addresses', async (t) => {
    await using array = await hdf5.open(serve('/d/a.h5', await fileOf(t)), 'raw')
    const path = join(await temporaryFolder(t), 'local.h5')
    await h5wasm.ready
    const file = new h5wasm.File(path, 'w')
    file.create_external_link(`/bellis-ranges/http/${web.address.slice(7)}/d/a.h5`, '/raw', 'link')
    file.close()
    await assert.rejects(hdf5.open(path, 'link', { allowExternal: true }), { code: 'NO_SUCH_FILE' })
    assert.equal((await read(array, roi([0, 0, 0], [1, 1, 1])))[0], voxels[0])
  })
})

const skipped: string[] = []
const s3 = await s3OrSkip({ skip: (reason = '') => void skipped.push(reason) })
s3?.makeBucket('files')
Object.assign(process.env, s3?.env)
after(() => s3?.[Symbol.asyncDispose]())
for (const reason of skipped) it('is read in an object store', { skip: reason })

if (s3 !== undefined) {
  describe('a file in an object store', () => {
    beforeEach(() => {
      s3.fault = undefined
    })

    it('V12: is read by ranges of one version, and fails once it was replaced', async (t) => {
      const bucket = s3Bucket('files')
      await bucket.put('d/a.h5', [await fileOf(t)])
      await using array = await hdf5.open('s3://files/d/a.h5', 'raw')
      assert.deepEqual(await read(array), voxels)
      await using other = await hdf5.open('s3://files/d/a.h5', 'raw')
      await other[Symbol.asyncDispose]()
      await array[Symbol.asyncDispose]()
      await using again = await hdf5.open('s3://files/d/a.h5', 'raw')
      await bucket.put('d/a.h5', [await fileOf(t, 'chunks')])
      await assert.rejects(read(again), { code: 'IO_ERROR', message: /s3:\/\/files\/d\/a\.h5: it was replaced/ })
    })

    it('that is missing, or whose credentials have expired, is one error', async (t) => {
      await assert.rejects(hdf5.open('s3://files/none.h5', 'raw'), {
        code: 'NO_SUCH_FILE',
        message: /s3:\/\/files\/none/,
      })
      await assert.rejects(hdf5.open('s3://files', 'raw'), { code: 'INVALID_CONFIG' })
      await s3Bucket('files').put('b.h5', [await fileOf(t)])
      await using array = await hdf5.open('s3://files/b.h5', 'raw')
      s3.fault = () => ({ status: 400, code: 'ExpiredToken' })
      await assert.rejects(read(array), { code: 'UNAUTHORIZED', message: /have expired/ })
    })
  })
}
