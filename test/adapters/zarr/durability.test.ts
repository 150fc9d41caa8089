import assert from 'node:assert/strict'
import { execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { crc32c } from '../../../src/adapters/codecs/checksums/crc32c.ts'
import { n5Format } from '../../../src/adapters/n5/n5-format.ts'
import { zarrFormat } from '../../../src/adapters/zarr/zarr-format.ts'
import { bytesOf } from '../../../src/core/array/dtype.ts'
import type { ChunkedArray, CreateArrayOptions } from '../../../src/ports/chunked-array.ts'
import { noise, temporaryFolder } from '../../support/zarr.ts'

const format = zarrFormat()
const rewriter = fileURLToPath(new URL('../../support/zarr-rewriter.ts', import.meta.url))

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

describe('a writer that is killed', () => {
  const shape = [16, 32, 32]
  const whole = { offset: [0, 0, 0], shape }

  /** Every chunk must come from a single write: all its voxels are the same. */
  async function assertWholeChunks(array: ChunkedArray, into: Uint16Array): Promise<void> {
    await array.readVoxels(whole, into)
    for (let z = 0; z < 16; z += 8) {
      for (let y = 0; y < 32; y += 16) {
        const value = into[z * 1024 + y * 32]
        for (let i = 0; i < 8 * 16 * 32; i++) {
          const at = (z + (i >> 9)) * 1024 + (y + ((i >> 5) & 15)) * 32 + (i & 31)
          if (into[at] !== value) assert.fail(`the chunk at ${z}, ${y} is torn: it has ${value} and ${into[at]}`)
        }
      }
    }
  }

  for (const [name, options] of [
    ['chunks', { codec: 'raw' }],
    // Files that are flushed are written by another path.
    ['flushed chunks', { codec: 'raw', fsync: true }],
    ['compressed chunks', { codec: 'zstd:1' }],
    ['shards', { codec: 'raw', shardShape: [16, 32, 32] }],
  ] as const) {
    it(`D1: leaves old or new ${name}, complete, whenever it dies, and a reader never sees anything else`, async (t) => {
      const container = join(await temporaryFolder(t), 'a.zarr')
      const array = await format.create(container, 'raw', {
        shape,
        dtype: 'uint16',
        chunkShape: [8, 16, 32],
        ...options,
      })
      await array.writeVoxels(whole, new Uint16Array(16 * 32 * 32))
      const into = new Uint16Array(16 * 32 * 32)
      for (let round = 0; round < 10; round++) {
        const child = fork(rewriter, [container, 'fsync' in options ? 'fsync' : ''], { stdio: 'ignore' })
        const gone = once(child, 'exit')
        await Promise.race([
          once(child, 'message'),
          gone.then(([code]) => assert.fail(`the writer ended with ${code}`)),
        ])
        // A different number of reads per round while it writes, then the kill, so that the moment varies.
        for (let reads = 0; reads <= (round * 7) % 11; reads++) await assertWholeChunks(array, into)
        child.kill('SIGKILL')
        const [, signal] = await gone
        assert.equal(signal, 'SIGKILL')
        await assertWholeChunks(array, into)
        assert.ok(
          into.some((value) => value > 0),
          'the writer wrote nothing',
        )
      }
      const leftovers = (await filesBelow(container)).filter((file) => file.includes('.tmp-'))
      const { stored, total } = (await array.countStoredChunks?.()) ?? { stored: 0, total: 1 }
      assert.equal(stored, total, `leftovers ${leftovers} must not count as chunks`)
    })
  }

  it('D2: makes an array appear only when all of its groups are there', async (t) => {
    const folder = await temporaryFolder(t)
    let sawGroupsAlone = false
    for (let round = 0; round < 20; round++) {
      const container = join(folder, `${round}.zarr`)
      const options = { shape: [8], dtype: 'uint8', chunkShape: [8] } as const
      let isDone = false
      const made = format.create(container, 'volumes/em/raw', options).finally(() => {
        isDone = true
      })
      while (!isDone) {
        const has = (group: string) => existsSync(join(container, group, 'zarr.json'))
        const groups = ['', 'volumes', 'volumes/em']
        const isThere = has('volumes/em/raw')
        if (isThere)
          for (const group of groups) assert.ok(has(group), `the array is there, but not the group "${group}"`)
        sawGroupsAlone ||= !isThere && groups.every(has)
        await new Promise(setImmediate)
      }
      await made
    }
    assert.ok(sawGroupsAlone, 'nothing was seen in between')
  })

  it('leaves no removed array behind for good, and nothing else is taken for one', async (t) => {
    const folder = await temporaryFolder(t)
    const options = { shape: [4], dtype: 'uint8', chunkShape: [4] } as const
    for (const [container, inner] of [
      [join(folder, 'a.zarr'), 'g/raw'],
      [join(folder, 'b.zarr'), ''],
      [join(folder, 'c.n5'), 'raw'],
    ] as const) {
      const own = container.endsWith('.n5') ? n5Format() : format
      await using _first = await own.create(container, inner, options)
      // As a removal that was killed has left it.
      const beside = join(container, inner, '..')
      const left = join(beside, '.tmp-12-0-1kn5w2-3')
      await mkdir(join(left, 'c'), { recursive: true })
      await writeFile(join(left, 'c', '0'), 'x')
      const others = [join(beside, '.tmp-mine'), join(beside, '.tmp-12-0-1kn5w2-4')]
      await mkdir(others[0] as string)
      await writeFile(others[1] as string, 'a chunk that is being written')
      await using _again = await own.create(container, inner, { ...options, ifExists: 'replace' })
      assert.deepEqual([left, ...others].map(existsSync), [false, true, true])
    }
  })

  it('D1: leaves temporary files that are never taken for chunks or arrays, and go when the array is replaced', async (t) => {
    const container = join(await temporaryFolder(t), 'a.zarr')
    const array = await format.create(container, 'raw', { shape: [4], dtype: 'uint8', chunkShape: [4], codec: 'raw' })
    await array.writeVoxels({ offset: [0], shape: [4] }, new Uint8Array([1, 2, 3, 4]))
    await writeFile(join(container, 'raw', 'c', '.tmp-1-0-x-0'), 'half')
    await writeFile(join(container, '.tmp-1-0-x-1'), 'half')
    assert.deepEqual(await array.countStoredChunks?.(), { stored: 1, total: 1 })
    assert.deepEqual(await format.list(container, ''), [{ path: 'raw', kind: 'array' }])
    await format.create(container, 'raw', { shape: [4], dtype: 'uint8', ifExists: 'replace' })
    assert.ok(!(await filesBelow(join(container, 'raw'))).some((file) => file.includes('.tmp-')))
  })
})

/** Mounts a small tmpfs for a test, or skips the test if that is not permitted; CI must permit it. */
async function smallDisk(t: TestContext): Promise<string | undefined> {
  const folder = join(await temporaryFolder(t), 'small')
  await mkdir(folder)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'bellis-test', folder], { stdio: 'ignore' })
  } catch {
    if (process.env.CI) throw new Error('CI has to be able to mount a tmpfs for this test')
    t.skip('no right to mount a small tmpfs')
    return undefined
  }
  return folder
}

describe('a full disk', () => {
  it('D5: is named in the error, keeps the old chunk and leaves no temporary file', async (t) => {
    const folder = await smallDisk(t)
    if (folder === undefined) return
    try {
      const options: CreateArrayOptions = {
        shape: [2, 160_000],
        dtype: 'uint8',
        chunkShape: [1, 160_000],
        codec: 'raw',
      }
      const array = await format.create(join(folder, 'a.zarr'), 'raw', options)
      const row = { offset: [0, 0], shape: [1, 160_000] }
      await array.writeVoxels(row, new Uint8Array(160_000).fill(1))
      for (const offset of [
        [1, 0],
        [0, 0],
      ]) {
        await assert.rejects(array.writeVoxels({ ...row, offset }, new Uint8Array(160_000).fill(2)), {
          name: 'InfrastructureError',
          code: 'DISK_FULL',
          message: /small.a\.zarr.raw.c.*disk is full/,
        })
      }
      const into = new Uint8Array(160_000)
      await array.readVoxels(row, into)
      assert.ok(into.every((value) => value === 1))
      assert.deepEqual(
        (await filesBelow(folder)).filter((file) => file.includes('.tmp-')),
        [],
      )
    } finally {
      execFileSync('umount', [folder])
    }
  })

  it('is distinguished from a read-only disk', async (t) => {
    const folder = await smallDisk(t)
    if (folder === undefined) return
    try {
      const container = join(folder, 'a.zarr')
      const array = await format.create(container, 'raw', { shape: [4], dtype: 'uint8', chunkShape: [4] })
      execFileSync('mount', ['-o', 'remount,ro', folder], { stdio: 'ignore' })
      const writing = array.writeVoxels({ offset: [0], shape: [4] }, new Uint8Array(4).fill(1))
      await assert.rejects(writing, { code: 'READ_ONLY', message: /a\.zarr.*read-only/ })
    } finally {
      execFileSync('umount', [folder])
    }
  })
})

describe('a corrupt chunk', () => {
  const shape = [8, 16, 16]
  const box = { offset: [0, 0, 0], shape }
  const codecs = {
    2: ['raw', 'gzip', 'zlib', 'zstd', 'lz4', 'blosc', 'blosc-lz4hc', 'blosc-zstd', 'blosc-zlib', 'blosc-blosclz'],
    3: ['raw', 'gzip', 'zstd', 'blosc'],
    shard: ['raw', 'gzip', 'zstd', 'blosc'],
  }

  for (const [kind, names] of Object.entries(codecs)) {
    for (const codec of names) {
      it(`D4: causes an error that names its file, and is never read as zeros: ${kind === 'shard' ? 'shards' : `Zarr ${kind}`}, ${codec}`, async (t) => {
        const container = join(await temporaryFolder(t), 'a.zarr')
        const options: CreateArrayOptions =
          kind === 'shard'
            ? { shape, dtype: 'uint16', shardShape: shape, chunkShape: [8, 8, 16], codec }
            : { shape, dtype: 'uint16', chunkShape: shape, codec, zarrFormat: Number(kind) as 2 | 3 }
        const array = await format.create(container, 'raw', options)
        const data = noise('uint16', 2048, 5)
        await array.writeVoxels(box, data)
        const [file, ...more] = (await filesBelow(container)).filter((path) => /[\\/]0$/.test(path))
        assert.ok(file !== undefined && more.length === 0)
        const good = await readFile(file)
        const into = new Uint16Array(2048)
        const corruptions: readonly (readonly [string, Uint8Array])[] = [
          ['cut in the middle', good.subarray(0, good.length >> 1)],
          ['without its last byte', good.subarray(0, good.length - 1)],
          ['empty', new Uint8Array(0)],
          ['with more behind it', Buffer.concat([good, Buffer.alloc(9, 1)])],
          ['all noise', bytesOf(noise('uint8', Math.floor(good.length / 2), 3))],
        ]
        for (const [what, bytes] of corruptions) {
          await writeFile(file, bytes)
          const small = { offset: [1, 1, 1], shape: [2, 2, 2] }
          for (const read of [() => array.readVoxels(box, into), () => array.readVoxels(small, new Uint16Array(8))]) {
            await assert.rejects(
              read,
              (error: Error & { code?: string }) => {
                assert.equal(error.code, 'CORRUPT_DATA', `${what}: ${error.message}`)
                assert.ok(error.message.includes(file) && /chunk \(0, 0, 0\)/.test(error.message), error.message)
                return true
              },
              what,
            )
          }
        }
        await writeFile(file, good)
        await array.readVoxels(box, into)
        assert.deepEqual(bytesOf(into), bytesOf(data))
      })
    }
  }

  it('D4: can be replaced by a write of the complete chunk, but not by one that would keep a part of it', async (t) => {
    const container = join(await temporaryFolder(t), 'a.zarr')
    const array = await format.create(container, 'raw', { shape: [6], dtype: 'uint8', chunkShape: [4], codec: 'raw' })
    await array.writeVoxels({ offset: [0], shape: [6] }, new Uint8Array(6).fill(1))
    const chunk = join(container, 'raw', 'c', '1')
    await truncate(chunk, 3)
    await assert.rejects(array.writeVoxels({ offset: [5], shape: [1] }, new Uint8Array(1)), { code: 'CORRUPT_DATA' })
    await array.writeVoxels({ offset: [4], shape: [2] }, new Uint8Array([8, 9]))
    assert.deepEqual([...(await readFile(chunk))], [8, 9, 0, 0])
  })
})

describe('a shard whose index is wrong', () => {
  const shape = [4, 4]
  const box = { offset: [0, 0], shape }
  const data = noise('uint8', 16, 8)

  /** Changes the index at the end of a shard of four raw chunks: offset and length of each, and a checksum. */
  async function withIndex(t: TestContext, change: (index: Buffer) => void) {
    const container = join(await temporaryFolder(t), 'a.zarr')
    const options = { shape, dtype: 'uint8', shardShape: shape, chunkShape: [2, 2], codec: 'raw' } as const
    const array = await format.create(container, 'raw', options)
    await array.writeVoxels(box, data)
    const file = join(container, 'raw', 'c', '0', '0')
    const shard = await readFile(file)
    change(shard.subarray(shard.length - 68))
    await writeFile(file, shard)
    return { array, file }
  }

  const refused = (file: string, why: RegExp) => (error: Error & { code?: string }) => {
    assert.equal(error.code, 'CORRUPT_DATA', error.message)
    assert.ok(error.message.includes(file) && why.test(error.message), error.message)
    return true
  }

  it('D4: is corrupt if its checksum does not match, although it names places in the file', async (t) => {
    const { array, file } = await withIndex(t, (index) => {
      const first = Buffer.from(index.subarray(0, 16))
      index.copy(index, 0, 16, 32)
      first.copy(index, 16)
    })
    const one = { offset: [0, 0], shape: [1, 1] }
    for (const part of [box, one]) {
      const into = new Uint8Array(part.shape[0]! * part.shape[1]!)
      await assert.rejects(array.readVoxels(part, into), refused(file, /index is damaged: its checksum/))
    }
  })

  it('D4: is corrupt if it names a place beyond the end of the file', async (t) => {
    const { array, file } = await withIndex(t, (index) => {
      index.writeBigUInt64LE(83n, 0)
      index.writeUInt32LE(crc32c(index.subarray(0, 64)), 64)
    })
    for (const part of [box, { offset: [0, 0], shape: [1, 1] }]) {
      const into = new Uint8Array(part.shape[0]! * part.shape[1]!)
      await assert.rejects(
        array.readVoxels(part, into),
        refused(file, /places a chunk at 83 to 87, beyond its end at 84|ends inside a chunk/),
      )
    }
  })
})

describe('a chunk with a checksum', () => {
  it('D4: is corrupt if one bit of it was changed, although it decodes', async (t) => {
    const container = join(await temporaryFolder(t), 'a.zarr')
    await format.create(container, 'raw', { shape: [8], dtype: 'uint8', chunkShape: [8], codec: 'raw' })
    const file = join(container, 'raw', 'zarr.json')
    const json = JSON.parse(await readFile(file, 'utf8'))
    await writeFile(file, JSON.stringify({ ...json, codecs: [...json.codecs, { name: 'crc32c' }] }))
    const array = await format.open(container, 'raw', { mode: 'r+' })
    const data = noise('uint8', 8, 2)
    await array.writeVoxels({ offset: [0], shape: [8] }, data)
    const chunk = join(container, 'raw', 'c', '0')
    const bytes = await readFile(chunk)
    assert.equal(bytes.length, 12)
    bytes[3] = bytes[3]! ^ 4
    await writeFile(chunk, bytes)
    await assert.rejects(array.readVoxels({ offset: [0], shape: [8] }, new Uint8Array(8)), {
      code: 'CORRUPT_DATA',
      message: /checksum is/,
    })
  })
})
