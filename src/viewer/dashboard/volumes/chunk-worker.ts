// Neuroglancer's worker that fetches chunks, and one thing more: chunks that have changed are fetched again.
import 'neuroglancer/unstable/chunk_worker.bundle.js'
import { type RPC, registerRPC } from 'neuroglancer/unstable/worker_rpc.js'
import { CHANGED_CHUNKS_RPC, type ChangedChunks, meetsBox } from './changed-chunks.ts'
import { type Chunk, type ChunkQueueManager, renewChunk } from './renewed-chunk.ts'

// What Neuroglancer's worker keeps, as far as it is used here; its own types are not published.
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
  /** Of arrays in shards: what says where the chunks of a shard are. */
  readonly chunkKvStore?: { readonly kvStore?: { readonly indexCache?: Cache } }
}

registerRPC(CHANGED_CHUNKS_RPC, function (this: RPC, { id, boxes }: ChangedChunks) {
  const source = this.get(id) as GridSource | undefined
  if (source === undefined) return
  const { queueManager } = source.chunkManager
  const indexes = source.chunkKvStore?.kvStore?.indexCache
  for (const index of indexes?.chunks.values() ?? []) {
    // Asked for again with the next chunk; one that is on its way comes anew then.
    index.freeSystemMemory()
  }
  for (const chunk of source.chunks.values()) {
    if (!boxes.some((box) => meetsBox(chunk.chunkGridPosition, source.spec.chunkDataSize, box))) continue
    renewChunk(queueManager, source, chunk)
  }
  queueManager.scheduleUpdate()
})
