// Neuroglancer's worker that fetches chunks, extended so that changed chunks are fetched again.
import 'neuroglancer/unstable/chunk_worker.bundle.js'
import { type RPC, registerPromiseRPC } from 'neuroglancer/unstable/worker_rpc.js'
import { CHANGED_CHUNKS_RPC, type ChangedChunks, meetsBox } from './changed-chunks.ts'
import { type Chunk, type ChunkQueueManager, renewChunk, untilFetched } from './renewed-chunk.ts'

// The parts of Neuroglancer's worker that are used here; it does not publish types for them.
interface GridChunk extends Chunk {
  readonly chunkGridPosition: Float32Array
}

interface Cache {
  readonly chunks: ReadonlyMap<string, Chunk>
}

interface GridSource {
  readonly rpcId: number
  readonly chunks: ReadonlyMap<string, GridChunk>
  readonly spec: { readonly chunkDataSize: Uint32Array }
  readonly chunkManager: { readonly queueManager: ChunkQueueManager }
  /** For sharded arrays: the indexes of the shards. */
  readonly chunkKvStore?: { readonly kvStore?: { readonly indexCache?: Cache } }
}

registerPromiseRPC(CHANGED_CHUNKS_RPC, async function (this: RPC, { source: number, boxes }: ChangedChunks) {
  const source = this.get(number) as GridSource | undefined
  if (source === undefined) return { value: undefined }
  const { queueManager } = source.chunkManager
  const indexes = source.chunkKvStore?.kvStore?.indexCache
  for (const index of indexes?.chunks.values() ?? []) {
    // The next chunk requests it again, even if it is being fetched now.
    index.freeSystemMemory()
  }
  const changed = [...source.chunks.values()].filter((chunk) =>
    boxes.some((box) => meetsBox(chunk.chunkGridPosition, source.spec.chunkDataSize, box)),
  )
  for (const chunk of changed) renewChunk(queueManager, source, chunk)
  queueManager.scheduleUpdate()
  await untilFetched(changed)
  return { value: undefined }
})
