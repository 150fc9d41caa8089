import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { gzipSync } from 'node:zlib'
import { pyramidKeys } from '../../../src/adapters/zarr/stored-arrays.ts'
import { zarrFormat } from '../../../src/adapters/zarr/zarr-format.ts'
import { noise, temporaryFolder } from '../../support/zarr.ts'

const format = zarrFormat()
const shape = [4, 8, 8]
const box = { offset: [0, 0, 0], shape }
const data = noise('uint8', 256, 1)

/** `a.zarr/raw`, of one raw chunk, in a folder. */
async function container(t: TestContext, chunkShape = shape) {
  const folder = await temporaryFolder(t)
  const root = join(folder, 'a.zarr')
  const array = await format.create(root, 'raw', { shape, dtype: 'uint8', chunkShape, codec: 'raw' })
  await array.writeVoxels(box, data)
  return { folder, root, chunk: join(root, 'raw', 'c', '0', '0', '0') }
}

/** All files of a folder with their bytes. */
async function contentOf(folder: string): Promise<object[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
  return Promise.all(files.sort().map(async (path) => ({ path, bytes: await readFile(path, 'hex') })))
}

async function read(root: string, inner: string, options = {}): Promise<Uint8Array> {
  const into = new Uint8Array(256)
  await (await format.open(root, inner, options)).readVoxels(box, into)
  return into
}

describe('a container from somebody else', () => {
  for (const part of ['c/0/0/0', 'c/0', 'c', 'zarr.json']) {
    it(`V7: is not read through a symbolic link in place of ${part} that leads out of it`, async (t) => {
      const { folder, root } = await container(t)
      await rename(join(root, 'raw', part), join(folder, 'secret'))
      await symlink(join(folder, 'secret'), join(root, 'raw', part))
      await assert.rejects(read(root, 'raw'), { code: 'IO_ERROR', message: /link leads out.*--allow-external/ })
      assert.deepEqual(await read(root, 'raw', { allowExternal: true }), data)
    })
  }

  for (const part of ['c/0/0', 'c/0', 'c']) {
    it(`V7: is neither read nor written through a link that is put in place of ${part} after others of its chunks were`, async (t) => {
      const { folder, root } = await container(t, [2, 8, 8])
      const array = await format.open(root, 'raw', { mode: 'r+' })
      const into = new Uint8Array(256)
      // Now its folders are known.
      for (let time = 0; time < 3; time++) {
        await array.readVoxels(box, into)
        await array.writeVoxels(box, data)
      }
      const other = join(folder, 'other')
      await rename(join(root, 'raw', part), other)
      await symlink(other, join(root, 'raw', part))
      const before = await contentOf(other)
      const refused = (verb: string) => ({ code: 'IO_ERROR', message: new RegExp(`^Can't ${verb} .*link leads out`) })
      await assert.rejects(array.readVoxels(box, into), refused('read'))
      await assert.rejects(array.writeVoxels(box, new Uint8Array(256).fill(7)), refused('write'))
      const first = { offset: [0, 0, 0], shape: [2, 8, 8] }
      await assert.rejects(async () => array.removeChunks?.(first), refused('remove'))
      assert.deepEqual(await contentOf(other), before)
    })
  }

  it('is read through links inside it, and through those on the path that the user wrote', async (t) => {
    const { folder, root, chunk } = await container(t)
    await rename(chunk, join(root, 'elsewhere'))
    await symlink(join(root, 'elsewhere'), chunk)
    assert.deepEqual(await read(root, 'raw'), data)
    await rename(join(root, 'raw'), join(folder, 'other-disk'))
    await symlink(join(folder, 'other-disk'), join(root, 'raw'))
    await rename(join(root, 'elsewhere'), join(folder, 'other-disk', 'x'))
    await rm(join(folder, 'other-disk', 'c', '0', '0', '0'))
    await rename(join(folder, 'other-disk', 'x'), join(folder, 'other-disk', 'c', '0', '0', '0'))
    assert.deepEqual(await read(root, 'raw'), data)
    await symlink(root, join(folder, 'name.zarr'))
    assert.deepEqual(await read(join(folder, 'name.zarr'), 'raw'), data)
  })

  it('V7: opens no array outside it that its attributes name', async (t) => {
    const { folder, root } = await container(t)
    const other = join(folder, 'b.zarr')
    await format.create(other, '', { shape, dtype: 'uint8' })
    await symlink(other, join(root, 'level'))
    for (const [path, code] of [
      ['../b.zarr', 'INVALID_CONFIG'],
      ['level', 'IO_ERROR'],
    ] as const) {
      const ome = { version: '0.5', multiscales: [{ datasets: [{ path }] }] }
      const group = { zarr_format: 3, node_type: 'group', attributes: { ome } }
      await writeFile(join(root, 'zarr.json'), JSON.stringify(group))
      const message =
        code === 'IO_ERROR'
          ? /--allow-external/
          : /The attributes of .*a\.zarr name.*even with --allow-external; open that array by its own path/
      await assert.rejects(format.open(root, ''), { code, message })
      if (code === 'IO_ERROR') await assert.rejects(pyramidKeys(root, ''), { code })
    }
  })

  it('is listed although its links lead nowhere, round in a cycle or outside', async (t) => {
    const { folder, root } = await container(t)
    await symlink('loop', join(root, 'loop'))
    await symlink('nowhere', join(root, 'gone'))
    await symlink(folder, join(root, 'outside'))
    assert.deepEqual(await format.list(root, ''), [{ path: 'raw', kind: 'array' }])
  })

  for (const part of ['c', 'c/0', 'c/0/0']) {
    it(`V7: is not written, nor are chunks of it removed, through a symbolic link in place of ${part} that leads out of it`, async (t) => {
      const { folder, root } = await container(t, [2, 8, 8])
      const other = join(folder, 'other')
      await rename(join(root, 'raw', part), other)
      await symlink(other, join(root, 'raw', part))
      const before = await readdir(other, { recursive: true })
      const array = await format.open(root, 'raw', { mode: 'r+' })
      await assert.rejects(array.writeVoxels(box, data), { code: 'IO_ERROR', message: /Can't write.*--allow-external/ })
      const first = { offset: [0, 0, 0], shape: [2, 8, 8] }
      await assert.rejects(async () => array.removeChunks?.(first), { message: /Can't remove.*link leads out/ })
      assert.deepEqual(await readdir(other, { recursive: true }), before)
      await rm(other, { recursive: true })
      await mkdir(other)
      // The folders of the chunk are missing behind the link, and are not made there.
      await assert.rejects(array.writeVoxels(box, data), { code: 'IO_ERROR', message: /link leads out/ })
      assert.deepEqual(await readdir(other), [])
      const allowed = await format.open(root, 'raw', { mode: 'r+', allowExternal: true })
      await allowed.writeVoxels(box, data)
      assert.deepEqual((await readdir(other, { recursive: true })).sort(), before.sort())
    })
  }

  it('V9: does not wait for the writer of a pipe in place of a file', async (t) => {
    const { root, chunk } = await container(t)
    await rm(chunk)
    execFileSync('mkfifo', [chunk])
    await assert.rejects(read(root, 'raw'), { code: 'IO_ERROR', message: /pipe/ })
    const file = join(root, 'raw', 'zarr.json')
    await rm(file)
    execFileSync('mkfifo', [file])
    await assert.rejects(read(root, 'raw'), { code: 'IO_ERROR', message: /pipe/ })
  })

  it('V5: makes no memory of more than was declared: metadata, chunks, and codecs in codecs', async (t) => {
    const { root, chunk } = await container(t)
    await writeFile(chunk, Buffer.alloc(2 ** 26 + 1))
    await assert.rejects(read(root, 'raw'), { code: 'CORRUPT_DATA', message: /has 67108865 bytes/ })
    const file = join(root, 'raw', 'zarr.json')
    const json = JSON.parse(await readFile(file, 'utf8'))
    const gzip = { name: 'gzip', configuration: { level: 1 } }
    await writeFile(file, JSON.stringify({ ...json, codecs: [{ name: 'bytes' }, gzip, gzip] }))
    await writeFile(chunk, gzipSync(Buffer.alloc(2 ** 26 + 1)))
    await assert.rejects(read(root, 'raw'), {
      code: 'CORRUPT_DATA',
      message: /more bytes than expected: at most (6[6-9]|7)\d{3,4}\b/,
    })
    // numcodecs' filters make larger elements of what they get.
    const packed = { name: 'numcodecs.packbits' }
    await writeFile(
      file,
      JSON.stringify({ ...json, data_type: 'bool', fill_value: false, codecs: [packed, packed, { name: 'bytes' }] }),
    )
    await writeFile(chunk, Buffer.alloc(2 ** 24))
    await assert.rejects(read(root, 'raw'), {
      code: 'CORRUPT_DATA',
      message: /it decoded to 134217720 bytes, expected at most/,
    })
    await writeFile(file, Buffer.alloc(100_000_001, ' '))
    await assert.rejects(format.open(root, 'raw'), { code: 'CORRUPT_DATA', message: /at most 100000000/ })
  })

  it('refuses chunks that no memory holds', async (t) => {
    const { root } = await container(t)
    const file = join(root, 'raw', 'zarr.json')
    const json = JSON.parse(await readFile(file, 'utf8'))
    const chunk_grid = { name: 'regular', configuration: { chunk_shape: [1, 1, 2 ** 53 - 1] } }
    await writeFile(file, JSON.stringify({ ...json, chunk_grid }))
    const refused = { code: 'UNSUPPORTED', message: /raw: a chunk of 9007199254740991 bytes.*smaller chunks/ }
    await assert.rejects(format.open(root, 'raw'), refused)
  })

  it('refuses names of codecs that only JavaScript knows', async (t) => {
    const folder = await temporaryFolder(t)
    await mkdir(folder, { recursive: true })
    const options = { shape, dtype: 'uint8', codec: 'constructor' } as const
    await assert.rejects(format.planCreate(join(folder, 'b.zarr'), '', options), { code: 'UNSUPPORTED_CODEC' })
  })
})
