import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { zarrFormat } from '../../../../src/adapters/zarr/zarr-format.ts'
import { openArray } from '../../../../src/entry/arrays.ts'
import { pythonOrSkip, runPython } from '../../../support/python.ts'
import { temporaryFolder } from '../../../support/zarr.ts'
import { zipBytes, zipFolder } from '../../../support/zip-files.ts'

const format = zarrFormat()
const whole = { offset: [0, 0], shape: [4, 6] }
const voxels = Uint8Array.from({ length: 24 }, (_, i) => i + 1)

async function container(folder: string, inner = 'raw'): Promise<string> {
  const path = join(folder, 'a.zarr')
  await using array = await format.create(path, inner, {
    shape: [4, 6],
    chunkShape: [2, 6],
    dtype: 'uint8',
    codec: 'raw',
  })
  await array.writeVoxels(whole, voxels)
  return path
}

async function read(path: string): Promise<number[]> {
  await using array = await openArray(path)
  return [...((await array.read(array.roi)).data as Uint8Array)]
}

describe('a Zarr container in a zip file', () => {
  it('is read as what it was before, wherever the container lies in it', async (t) => {
    const folder = await temporaryFolder(t)
    const path = await container(folder)
    for (const name of ['b.zarr.zip', 'c.ozx', 'd.zip']) {
      zipFolder(path, join(folder, name), name === 'c.ozx')
      assert.deepEqual(await read(join(folder, name, 'raw')), [...voxels], name)
      assert.deepEqual(await format.list(join(folder, name), ''), [{ path: 'raw', kind: 'array' }])
    }
    await mkdir(join(folder, 'more'))
    await container(join(folder, 'more'))
    zipFolder(join(folder, 'more'), join(folder, 'e.zip'))
    assert.deepEqual(await read(join(folder, 'e.zip/a.zarr/raw')), [...voxels])
  })

  it('has only what its directory names, and missing chunks are the fill value', async (t) => {
    const folder = await temporaryFolder(t)
    const path = await container(folder)
    const metadata = readFileSync(join(path, 'raw/zarr.json'))
    const chunk = readFileSync(join(path, 'raw/c/0/0'))
    writeFileSync(join(folder, 'b.zip'), zipBytes({ 'raw/zarr.json': metadata, 'raw/c/0/0': chunk }))
    assert.deepEqual(await read(join(folder, 'b.zip/raw')), [...voxels.subarray(0, 12), ...Array(12).fill(0)])
    await assert.rejects(openArray(join(folder, 'b.zip/rw')), { code: 'NO_SUCH_DATASET', message: /"rw".*it has raw/ })
    await assert.rejects(openArray(join(folder, 'c.zip/raw')), { code: 'NO_SUCH_FILE', message: /c\.zip/ })
  })

  it('V5: lists what lies in folders, however deep the names of other files are', async (t) => {
    const folder = await temporaryFolder(t)
    const path = await container(folder)
    const metadata = readFileSync(join(path, 'raw/zarr.json'))
    const deep = Object.fromEntries([1, 2, 3].map((i) => [`${i}/${'a/'.repeat(30_000)}b`, metadata]))
    writeFileSync(join(folder, 'b.zip'), zipBytes({ 'raw/zarr.json': metadata, ...deep }))
    assert.deepEqual(await format.list(join(folder, 'b.zip'), ''), [{ path: 'raw', kind: 'array' }])
  })

  it('V9: is no pipe or device', { skip: process.platform === 'win32' }, async (t) => {
    const folder = await temporaryFolder(t)
    for (const name of ['b.zip', 'b.zarr.zip', 'b.ozx']) {
      execFileSync('mkfifo', [join(folder, name)])
      await assert.rejects(openArray(join(folder, name, 'raw')), { code: 'UNSUPPORTED', message: /pipe or a device/ })
    }
  })

  it('can only be read, and only from disks', async (t) => {
    const folder = await temporaryFolder(t)
    const path = join(folder, 'b.zip')
    zipFolder(await container(folder), path)
    const refused = { code: 'UNSUPPORTED', message: /zip file.*zip it/ }
    await assert.rejects(openArray(`${path}/raw`, { mode: 'r+' }), refused)
    const create = { shape: [4], dtype: 'uint8' } as const
    await assert.rejects(format.create(path, 'new', create), refused)
    await assert.rejects(format.planCreate(path, 'new', create), refused)
    await assert.rejects(openArray('https://host/a.zarr.zip/raw?key=1'), {
      code: 'UNSUPPORTED',
      message: /a\.zarr\.zip is a zip file.*download/,
    })
  })

  it('reports what is damaged, cut short, encrypted or compressed in another way', async (t) => {
    const folder = await temporaryFolder(t)
    const path = join(folder, 'b.zip')
    for (const isDeflated of [false, true]) {
      zipFolder(await container(await mkdirIn(folder, `${isDeflated}`)), path, isDeflated)
      const good = readFileSync(path)
      const chunkAt = good.indexOf('raw/c/1/0') + 'raw/c/1/0'.length
      const change = async (edit: (bytes: Buffer) => Buffer | undefined, code: string, message: RegExp) => {
        const bytes = Buffer.from(good)
        writeFileSync(path, edit(bytes) ?? bytes)
        await assert.rejects(read(`${path}/raw`), { code, message })
      }
      await change(
        (bytes) => void (bytes[chunkAt + 3] = (bytes[chunkAt + 3] as number) ^ 8),
        'CORRUPT_DATA',
        /raw\/c\/1\/0 is corrupt/,
      )
      await change((bytes) => bytes.subarray(0, -30), 'INVALID_METADATA', /b\.zip is no complete zip file.*cut short/)
      await change((bytes) => bytes.subarray(0, 10), 'INVALID_METADATA', /no directory/)
      const entryAt = good.indexOf('PK\u0001\u0002')
      await change((bytes) => void bytes.writeUInt16LE(1, entryAt + 8), 'UNSUPPORTED', /encrypted/)
      await change((bytes) => void bytes.writeUInt16LE(93, entryAt + 10), 'UNSUPPORTED', /method 93/)
      await change((bytes) => void bytes.writeUInt32LE(2 ** 31, entryAt + 42), 'CORRUPT_DATA', /header is missing/)
      await change((bytes) => void bytes.writeUInt32LE(2 ** 31, bytes.length - 6), 'INVALID_METADATA', /does not fit/)
    }
  })

  it('is read as zarr-python writes it, with names of any length and files beyond 4 GiB', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    const folder = await temporaryFolder(t)
    await runPython(python, new URL('write_zips.py', import.meta.url), [folder])
    for (const name of ['zarr-python.zarr.zip', 'sharded.zip', 'wide.zip', 'commented.zip', 'deflated.zip']) {
      const found = await read(join(folder, name, 'raw'))
      assert.deepEqual(
        found,
        Array.from({ length: 24 * 20 }, (_, i) => (i * 7) % 251),
        name,
      )
    }
  })
})

async function mkdirIn(folder: string, name: string): Promise<string> {
  await mkdir(join(folder, name))
  return join(folder, name)
}
