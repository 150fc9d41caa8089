import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { n5Format } from '../../src/adapters/n5/n5-format.ts'
import { precomputedFormat } from '../../src/adapters/precomputed/precomputed-format.ts'
import { contentsOf } from '../support/folders.ts'
import { noise, temporaryFolder } from '../support/zarr.ts'

const shape = [4, 8, 8]
const box = { offset: [0, 0, 0], shape }
const voxels = noise('uint8', 256, 1)

// The guarantees of docs/DATA-PATH.md for chunks in files of other formats than Zarr.
for (const { name, format, metadata, chunk } of [
  {
    name: 'N5',
    format: n5Format(),
    metadata: 'raw/attributes.json',
    chunk: 'raw/0/0/0',
  },
  {
    name: 'a precomputed volume',
    format: precomputedFormat(),
    metadata: 'info',
    chunk: 'raw/0-8_0-8_0-2',
  },
] as const) {
  describe(`chunks of ${name}`, () => {
    /** Two chunks. */
    const made = async (t: TestContext) => {
      const folder = await temporaryFolder(t)
      const root = join(folder, 'a')
      const options = { shape, dtype: 'uint8', chunkShape: [2, 8, 8], codec: 'raw' } as const
      await using array = await format.create(root, 'raw', options)
      await array.writeVoxels(box, voxels)
      return { folder, root, options, file: join(root, chunk) }
    }
    const read = async (root: string, options = {}): Promise<Uint8Array> => {
      await using array = await format.open(root, 'raw', options)
      const into = new Uint8Array(256).fill(0xa5)
      await array.readVoxels(box, into)
      return into
    }

    it('V1: are 0 only where their file is missing, and an error where it can not be decoded', async (t) => {
      const { root, file } = await made(t)
      assert.deepEqual(await read(root), voxels)
      truncateSync(file, 40)
      await assert.rejects(read(root), (error: Error & { code: string }) => {
        return error.code === 'CORRUPT_DATA' && error.message.includes(file)
      })
      truncateSync(file, 0)
      await assert.rejects(read(root), { code: 'CORRUPT_DATA' })
      rmSync(file)
      const expected = Uint8Array.from(voxels as Uint8Array, (value, at) => (at < 128 ? 0 : value))
      assert.deepEqual(await read(root), expected)
    })

    it('V5: are refused before memory is made for files that are too large, and so are metadata', async (t) => {
      const { root, file } = await made(t)
      const before = process.memoryUsage().rss
      truncateSync(file, 2 ** 33)
      await assert.rejects(read(root), /at most \d+ are expected|more than/)
      truncateSync(join(root, metadata), 2 ** 33)
      await assert.rejects(read(root), /at most \d+ are expected|more than/)
      assert.ok(process.memoryUsage().rss - before < 2 ** 30)
    })

    it('V6: leave metadata of others as they are when an array is added, to the last digit', async (t) => {
      const { root, options } = await made(t)
      const file = join(root, name === 'N5' ? 'attributes.json' : 'info')
      const theirs = '"mine":[1.0,-0.0,12345678901234567890123]'
      writeFileSync(file, readFileSync(file, 'utf8').replace('{', `{${theirs},`))
      await using _array = await format.create(root, 'more', options)
      assert.match(readFileSync(file, 'utf8'), /"mine":\s*\[\s*1\.0,\s*-0\.0,\s*12345678901234567890123\s*\]/)
    })

    for (const part of [metadata, chunk]) {
      it(`V7: are not read through a link in place of ${part} that leads out of the container`, async (t) => {
        const { folder, root } = await made(t)
        renameSync(join(root, part), join(folder, 'secret'))
        symlinkSync(join(folder, 'secret'), join(root, part))
        await assert.rejects(read(root), { code: 'IO_ERROR', message: /link leads out.*--allow-external/ })
        assert.deepEqual(await read(root, { allowExternal: true }), voxels)
      })

      it(`V9: do not wait for the writer of a pipe in place of ${part}`, {
        skip: process.platform === 'win32',
      }, async (t) => {
        const { root } = await made(t)
        rmSync(join(root, part))
        execFileSync('mkfifo', [join(root, part)])
        await assert.rejects(read(root), { code: 'IO_ERROR', message: /pipe/ })
      })
    }

    it('D1: are replaced as a whole, and what a killed writer has left is none of them', async (t) => {
      const { root, file } = await made(t)
      writeFileSync(join(file, '..', '.tmp-1-0-a-0'), 'half')
      let isTaken = true
      const owner = () => {
        if (isTaken) throw new Error('taken')
        return 'me'
      }
      writeFileSync(join(root, 'raw', '.bellis-run'), JSON.stringify({ id: 'me' }))
      await using array = await format.open(root, 'raw', { mode: 'r+', owner })
      assert.deepEqual((await array.countStoredChunks?.())?.stored, 2)
      await assert.rejects(async () => array.writeVoxels(box, new Uint8Array(256)), /taken/)
      assert.deepEqual(await read(root), voxels)
      isTaken = false
      await array.writeVoxels(box, new Uint8Array(256).fill(7))
      assert.deepEqual(await read(root), new Uint8Array(256).fill(7))
    })

    it('R5: are written only while their array is marked as that of the run', async (t) => {
      const { root, file } = await made(t)
      const mark = (id: string) => writeFileSync(join(root, 'raw', '.bellis-run'), JSON.stringify({ id }))
      mark('ours')
      await using array = await format.open(root, 'raw', { mode: 'r+', owner: 'ours' })
      const write = (z: number, value: number) =>
        array.writeVoxels({ offset: [z, 0, 0], shape: [2, 8, 8] }, new Uint8Array(128).fill(value))
      await write(0, 1)
      mark('that of others')
      const before = contentsOf(root)
      for (const z of [0, 2]) await assert.rejects(write(z, 2), { code: 'RUN_LOCKED', message: /taken by another run/ })
      // Chunks of zeros are removed.
      await assert.rejects(write(0, 0), { code: 'RUN_LOCKED' })
      await assert.rejects(async () => array.removeChunks?.(box), { code: 'RUN_LOCKED' })
      assert.deepEqual(contentsOf(root), before)
      mark('ours')
      await write(0, 0)
      assert.equal(existsSync(file), false)
      rmSync(join(root, 'raw'), { recursive: true })
      await assert.rejects(write(2, 1), { code: 'RUN_LOCKED' })
      assert.equal(existsSync(join(root, 'raw')), false)
    })

    it('D2: belong to no array until its metadata are there', async (t) => {
      const { root, options } = await made(t)
      const file = join(root, metadata)
      const json = JSON.parse(readFileSync(file, 'utf8'))
      if (name === 'N5') rmSync(file)
      else writeFileSync(file, JSON.stringify({ ...json, scales: [] }))
      await assert.rejects(read(root), /NO_SUCH|no scale|no dataset|group|There is no/)
      await assert.rejects(format.create(root, 'raw', options), { code: 'DATASET_EXISTS' })
    })
  })
}
