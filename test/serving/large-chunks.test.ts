import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { zstdDecompressSync } from 'node:zlib'
import { Unavailable } from '../../src/core/unavailable.ts'
import type { ChunkedArray } from '../../src/ports/chunked-array.ts'
import { MemoryBudget } from '../../src/serving/memory-budget.ts'
import type { ServedMemory } from '../../src/serving/served-memory.ts'
import { servedChunkShape, virtualZarr } from '../../src/serving/virtual-zarr.ts'
import { memoryArray } from '../support/memory-array.ts'

const MIB = 2 ** 20
/** Two chunks of 3 MiB along the first axis; the array ends inside the second. Served chunks do not divide them evenly. */
const SHAPE = [300, 128, 128] as const
const CHUNK = [193, 128, 128]
/** Enough for one of them: its bytes in the file and the decoded ones. */
const ONE_CHUNK = 7 * MIB

/** An array whose reads wait until they are let through. */
function gatedArray() {
  const data = new Uint8Array(SHAPE[0] * SHAPE[1] * SHAPE[2])
  for (let index = 0; index < data.length; index++) data[index] = (index * 31 + (index >> 9)) % 251
  const array = memoryArray({ shape: SHAPE, dtype: 'uint8', data, chunkShape: CHUNK })
  const reads: { readonly offset: readonly number[]; readonly go: () => void; readonly signal?: AbortSignal }[] = []
  const gated: ChunkedArray = {
    ...array,
    async readVoxels(box, into, options = {}) {
      const { promise, resolve } = Promise.withResolvers<void>()
      reads.push({ offset: box.offset, go: resolve, ...(options.signal ? { signal: options.signal } : {}) })
      await promise
      options.signal?.throwIfAborted()
      await array.readVoxels(box, into)
    },
  }
  return { data, gated, reads }
}

const memoryFor = (chunkBytes: number, { keepMs = 0, mostWaiting = 100 } = {}): ServedMemory => ({
  answers: new MemoryBudget({ bytes: 64 * MIB, mostWaiting }),
  chunks: new MemoryBudget({ bytes: chunkBytes, mostWaiting }),
  keepMs,
})

/** Lets everything run that waits for nothing else. */
const settle = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)))

/** Lets every read through until something is over. */
async function letThrough(over: Promise<unknown>, reads: readonly { readonly go: () => void }[]): Promise<void> {
  let isOver = false
  const end = over.finally(() => {
    isOver = true
  })
  while (!isOver) {
    for (const { go } of reads) go()
    await settle()
  }
  await end
}

async function bytesOf(tree: ReturnType<typeof virtualZarr>, path: string): Promise<Uint8Array> {
  const resource = await tree.open(path.split('/'))
  assert.ok(resource)
  const parts: Uint8Array[] = []
  for await (const part of resource.read(0, resource.size)) parts.push(part)
  return zstdDecompressSync(Buffer.concat(parts))
}

describe('chunks that are larger than what is served of them', () => {
  const served = servedChunkShape({ shape: SHAPE, chunkShape: CHUNK }, 1)

  it('are read once for all requests that come meanwhile, and give each the right voxels', async () => {
    const { data, gated, reads } = gatedArray()
    const tree = virtualZarr(gated, 'uint8', memoryFor(100 * MIB, { keepMs: 60_000 }))
    const [planes = 1, rows = 1, columns = 1] = served
    const paths = Array.from({ length: Math.ceil(SHAPE[0] / planes) }, (_, z) => `c/${z}/0/0`)
    const answers = Promise.all(paths.map((path) => bytesOf(tree, path)))
    await letThrough(answers, reads)
    for (const [z, bytes] of (await answers).entries()) {
      for (let at = 0; at < bytes.length; at += 977) {
        const [plane, row, column] = [Math.floor(at / (rows * columns)), Math.floor(at / columns) % rows, at % columns]
        const global = z * planes + plane
        const expected = global < SHAPE[0] ? data[(global * SHAPE[1] + row) * SHAPE[2] + column] : 0
        assert.equal(bytes[at], expected, `${z}: ${plane},${row},${column}`)
      }
    }
    assert.deepEqual(reads.map(({ offset }) => offset[0]).sort(), [0, 193])
  })

  it('are not read before the memory for them is free, and further requests are refused', async () => {
    const { gated, reads } = gatedArray()
    const tree = virtualZarr(gated, 'uint8', memoryFor(ONE_CHUNK, { mostWaiting: 1 }))
    const first = bytesOf(tree, 'c/0/0/0')
    await settle()
    const second = bytesOf(tree, 'c/3/0/0')
    await settle()
    assert.equal(reads.length, 1)
    reads[0]?.go()
    await first
    await settle()
    assert.equal(reads.length, 2)
    reads[1]?.go()
    await second
  })

  it('are no longer read if every request for them was cancelled', async () => {
    const { gated, reads } = gatedArray()
    const tree = virtualZarr(gated, 'uint8', memoryFor(ONE_CHUNK))
    const stops = [new AbortController(), new AbortController()]
    const asked = stops.map(({ signal }) => tree.open(['c', '0', '0', '0'], { signal }))
    await settle()
    assert.equal(reads.length, 1)
    stops[0]?.abort()
    await assert.rejects(asked[0] as Promise<unknown>, { name: 'AbortError' })
    assert.equal(reads[0]?.signal?.aborted, false)
    stops[1]?.abort()
    await assert.rejects(asked[1] as Promise<unknown>, { name: 'AbortError' })
    assert.equal(reads[0]?.signal?.aborted, true)
    reads[0]?.go()
    await settle()
    const again = bytesOf(tree, 'c/0/0/0')
    await settle()
    assert.equal(reads.length, 2)
    reads[1]?.go()
    await again
  })

  it('are kept for a while, unless their memory is needed', async () => {
    const { gated, reads } = gatedArray()
    const tree = virtualZarr(gated, 'uint8', memoryFor(ONE_CHUNK, { keepMs: 60_000 }))
    const readsAfter = async (path: string) => {
      await letThrough(bytesOf(tree, path), reads)
      return reads.length
    }
    assert.equal(await readsAfter('c/0/0/0'), 1)
    assert.equal(await readsAfter('c/0/0/0'), 1)
    // It needs both chunks, one after the other.
    assert.equal(await readsAfter('c/1/0/0'), 2)
    assert.equal(await readsAfter('c/2/0/0'), 2)
    assert.equal(await readsAfter('c/0/0/0'), 3)
  })
})

describe('a budget of memory', () => {
  it('never gives away more than it has, serves in order, and refuses whoever would wait too long', async () => {
    const memory = new MemoryBudget({ bytes: 10, mostWaiting: 2 })
    const got: string[] = []
    const take = (name: string, bytes: number) =>
      memory.take(bytes).then((share) => {
        got.push(name)
        return share
      })
    const first = await take('first', 6)
    const large = take('large', 50)
    const small = take('small', 1)
    await settle()
    assert.deepEqual(got, ['first'])
    await assert.rejects(memory.take(1), Unavailable)
    first[Symbol.dispose]()
    first[Symbol.dispose]()
    const all = await large
    await settle()
    assert.deepEqual(got, ['first', 'large'])
    all[Symbol.dispose]()
    await small
    assert.deepEqual(got, ['first', 'large', 'small'])
  })

  it('lets the next one pass if one that waits gives up', async () => {
    const memory = new MemoryBudget({ bytes: 10, mostWaiting: 2 })
    const first = await memory.take(6)
    const stop = new AbortController()
    const large = memory.take(10, stop.signal)
    const small = memory.take(4)
    stop.abort()
    await assert.rejects(large, { name: 'AbortError' })
    await small
    first[Symbol.dispose]()
  })
})
