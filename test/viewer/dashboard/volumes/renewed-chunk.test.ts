import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ChunkPriorityTier, ChunkState } from 'neuroglancer/unstable/chunk_manager/base.js'
import { type Chunk, renewChunk, untilFetched } from '../../../../src/viewer/dashboard/volumes/renewed-chunk.ts'

/** A chunk that records what is done with it. `download` starts a download as Neuroglancer does. */
function chunkIn(state: ChunkState) {
  const done: string[] = []
  const chunk: Chunk & { state: ChunkState; priorityTier: ChunkPriorityTier } = {
    ...{ key: '0,1', state, priorityTier: ChunkPriorityTier.VISIBLE },
    freeSystemMemory: () => done.push('freed'),
  }
  const download = async () => {
    const controller = new AbortController()
    chunk.downloadAbortController = controller
    const { signal } = controller
    const isAborted = await new Promise((resolve) => signal.addEventListener('abort', () => resolve(true)))
    // An aborted download is no failure: its controller is then no longer that of the chunk.
    if (isAborted && chunk.downloadAbortController === controller) done.push('failed')
    else done.push('given up')
  }
  const queueManager = {
    rpc: { invoke: (name: string, message: object) => done.push(`${name} ${JSON.stringify(message)}`) },
    updateChunkState: (_: Chunk, next: ChunkState) => {
      chunk.state = next
    },
    scheduleUpdate: () => {},
  }
  return { chunk, done, download, renew: () => renewChunk(queueManager, { rpcId: 3 }, chunk) }
}

describe('a chunk that is renewed', () => {
  it('is requested again during its download, and does not count as failed', async () => {
    const { chunk, done, download, renew } = chunkIn(ChunkState.DOWNLOADING)
    const ended = download()
    renew()
    await ended
    assert.deepEqual(done, ['given up'])
    assert.equal(chunk.state, ChunkState.QUEUED)
  })

  it('is removed from where it was, the worker or the page', () => {
    const inWorker = chunkIn(ChunkState.SYSTEM_MEMORY_WORKER)
    inWorker.renew()
    assert.deepEqual(inWorker.done, ['freed'])
    for (const state of [ChunkState.GPU_MEMORY, ChunkState.SYSTEM_MEMORY]) {
      const inPage = chunkIn(state)
      inPage.renew()
      const message = { source: 3, id: '0,1', state: ChunkState.EXPIRED }
      assert.deepEqual(inPage.done, [`Chunk.update ${JSON.stringify(message)}`])
      assert.equal(inPage.chunk.state, ChunkState.QUEUED)
    }
  })

  it('is waited for while it is fetched in view, and not for ever', async () => {
    const [inView, aside] = [chunkIn(ChunkState.GPU_MEMORY), chunkIn(ChunkState.GPU_MEMORY)]
    aside.chunk.priorityTier = ChunkPriorityTier.RECENT
    for (const { renew } of [inView, aside]) renew()
    let isFetched = false
    const waiting = untilFetched([inView.chunk, aside.chunk], 60_000).then(() => assert.ok(isFetched))
    inView.chunk.state = ChunkState.DOWNLOADING
    await new Promise((resolve) => setImmediate(resolve))
    isFetched = true
    inView.chunk.state = ChunkState.SYSTEM_MEMORY
    await waiting
    inView.chunk.state = ChunkState.QUEUED
    await untilFetched([inView.chunk], 10)
  })
})
