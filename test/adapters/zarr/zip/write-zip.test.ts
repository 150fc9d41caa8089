import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { zarrFormat } from '../../../../src/adapters/zarr/zarr-format.ts'
import { packContainer } from '../../../../src/adapters/zarr/zip/packed-container.ts'
import { writeZip } from '../../../../src/adapters/zarr/zip/write-zip.ts'
import { readZipDirectory } from '../../../../src/adapters/zarr/zip/zip-directory.ts'
import { directoryEnd, directoryEntry } from '../../../../src/adapters/zarr/zip/zip-records.ts'
import { zipStore } from '../../../../src/adapters/zarr/zip/zip-store.ts'
import { bytesOf, DTYPES } from '../../../../src/core/array/dtype.ts'
import { roi } from '../../../../src/core/geometry/roi.ts'
import { pythonOrSkip, runPython } from '../../../support/python.ts'
import { countOf, noise, temporaryFolder } from '../../../support/zarr.ts'

const put = (folder: string, files: Readonly<Record<string, Uint8Array>>) => {
  for (const [name, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), bytes)
  }
}
const format = zarrFormat()
const bytes = (length: number, seed = 1) => Uint8Array.from({ length }, (_, i) => (i * seed) % 251)
/** More than is read at once. */
const LARGE = 9 * 2 ** 20

describe('a zip file of a folder', () => {
  it('has all files of it, whatever they are called and however long they are', async (t) => {
    const anyName = fc.stringMatching(/^[a-zA-Zµ0-9 _-]{1,9}$/)
    const anyFiles = fc.dictionary(
      fc.array(anyName, { minLength: 1, maxLength: 3 }).map((names) => `x/${names.join('/f/')}`),
      fc.uint8Array({ maxLength: 300 }),
      { maxKeys: 9 },
    )
    await fc.assert(
      fc.asyncProperty(anyFiles, async (files) => {
        const folder = await temporaryFolder(t)
        // A name can't be that of a file and a folder.
        fc.pre(Object.keys(files).every((name) => !Object.keys(files).some((other) => other.startsWith(`${name}/`))))
        put(folder, { a: bytes(1), ...files })
        await writeZip(folder, `${folder}.zip`)
        const store = zipStore(`${folder}.zip`)
        for (const [name, content] of Object.entries(files)) {
          assert.deepEqual(new Uint8Array((await store.get(name)) as Uint8Array), content, name)
        }
        const read = readFileSync(`${folder}.zip`)
        const found = readZipDirectory('a.zip', read.length, (at, length) => read.subarray(at, at + length))
        assert.deepEqual([...found.keys()].sort(), ['a', ...Object.keys(files)].sort())
      }),
      { numRuns: 50 },
    )
  })

  it('is one that Python reads, with a file that is longer than what is read at once', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    const folder = await temporaryFolder(t)
    put(folder, { 'a/zarr.json': bytes(9), 'a/c/0': bytes(LARGE, 7), 'zarr.json': bytes(5), 'a/c/µ': bytes(0) })
    await writeZip(folder, `${folder}.zip`, { comment: 'µ' })
    const script = join(folder, 'read.py')
    writeFileSync(
      script,
      `import hashlib, json, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as file:
    assert file.testzip() is None
    kinds = {info.compress_type for info in file.infolist()}
    print(json.dumps([file.namelist(), file.comment.decode(), sorted(kinds), list(file.read('a/c/0')[-3:])]))
`,
    )
    assert.deepEqual(JSON.parse(await runPython(python, script, [`${folder}.zip`])), [
      ['zarr.json', 'a/zarr.json', 'a/c/0', 'a/c/µ'],
      'µ',
      [0],
      [...bytes(LARGE, 7).slice(-3)],
    ])
  })

  for (const zarrFormat of [2, 3] as const) {
    it(`is one that zarr-python and tensorstore read, with Zarr ${zarrFormat} of all element types, and with shards`, async (t) => {
      const python = pythonOrSkip(t)
      if (python === undefined) return
      const folder = await temporaryFolder(t)
      const index: object[] = []
      for (const [i, dtype] of DTYPES.entries()) {
        const shape = [5, 7, 9].slice(i % 3)
        const inner = `a/${dtype}`
        const shards = zarrFormat === 3 && i % 2 === 0 ? { shardShape: shape.map(() => 8) } : {}
        const chunkShape = shape.map(() => 4)
        const array = await format.create(join(folder, 'a.zarr'), inner, {
          shape,
          dtype,
          chunkShape,
          zarrFormat,
          ...shards,
        })
        const voxels = noise(dtype, countOf(shape), i)
        await array.writeVoxels(
          roi(
            shape.map(() => 0),
            shape,
          ),
          voxels,
        )
        const data = join(folder, `${dtype}.bin`)
        writeFileSync(data, bytesOf(voxels))
        index.push({ inner, dtype, shape, data, zarrFormat })
      }
      await packContainer(join(folder, 'a.zarr'), join(folder, 'a.zip'), { isOme: zarrFormat === 3 })
      writeFileSync(join(folder, 'index.json'), JSON.stringify(index))
      const script = new URL('read_zips.py', import.meta.url)
      const printed = await runPython(python, script, [join(folder, 'a.zip'), join(folder, 'index.json')])
      assert.equal(printed.trim(), String(DTYPES.length))
    })
  }

  it('has metadata first, outer groups before inner ones, and nothing that is left out', async (t) => {
    const folder = await temporaryFolder(t)
    const names = [
      'b/x/zarr.json',
      'b/zarr.json',
      'a/zarr.json',
      'a/c/0',
      'zarr.json',
      '.tmp-1',
      'b/.lock/c',
      'a/xzarr.json',
    ]
    put(folder, Object.fromEntries(names.map((name) => [name, bytes(3)])))
    await writeZip(folder, `${folder}.zip`, { leavesOut: (name) => name === '.lock' || name.startsWith('.tmp-') })
    const read = readFileSync(`${folder}.zip`)
    const found = readZipDirectory('a.zip', read.length, (at, length) => read.subarray(at, at + length))
    const order = ['zarr.json', 'a/zarr.json', 'b/zarr.json', 'b/x/zarr.json', 'a/c/0', 'a/xzarr.json']
    assert.deepEqual([...found.keys()], order)
    assert.deepEqual(
      [...found.values()].map(({ headerAt }) => headerAt).toSorted((a, b) => a - b),
      [...found.values()].map(({ headerAt }) => headerAt),
    )
    await writeZip(folder, `${folder}.2.zip`, { leavesOut: (name) => name === '.lock' || name.startsWith('.tmp-') })
    assert.deepEqual(readFileSync(`${folder}.2.zip`), read)
  })

  it('may be longer than 32 bits can say, and have files that are', () => {
    const files = [
      { name: 'zarr.json', bytes: 3, crc: 5, headerAt: 0 },
      { name: 'c/0', bytes: 2 ** 40 + 1, crc: 0xffffffff, headerAt: 33 },
      { name: 'c/1', bytes: 7, crc: 1, headerAt: 2 ** 41 },
    ]
    const entries = Buffer.concat(files.map(directoryEntry))
    const at = 2 ** 42
    const tail = Buffer.concat([entries, directoryEnd({ at, bytes: entries.length, files: files.length }, 'a comment')])
    // Of what lies before the directory, its reader looks at a part of the last file at most.
    const before = 2 ** 17
    const end = Buffer.concat([Buffer.alloc(before), tail])
    const read = readZipDirectory('a.zip', at + tail.length, (from, length) => {
      assert.ok(from >= at - before)
      return end.subarray(from - at + before, from - at + before + length)
    })
    assert.deepEqual(
      [...read].map(([name, { bytes, storedBytes, crc, headerAt }]) => ({ name, bytes, storedBytes, crc, headerAt })),
      files.map((file) => ({ ...file, storedBytes: file.bytes })),
    )
  })

  it('is an error where nothing can be written', async (t) => {
    const folder = await temporaryFolder(t)
    put(folder, { 'zarr.json': bytes(3) })
    await assert.rejects(writeZip(folder, join(folder, 'none/a.zip')), { code: 'IO_ERROR', message: /none\/a\.zip/ })
    await assert.rejects(writeZip(join(folder, 'none'), join(folder, 'a.zip')), { code: 'IO_ERROR', message: /none/ })
  })
})
