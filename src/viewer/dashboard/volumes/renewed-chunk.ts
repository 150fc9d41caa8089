import { ChunkState } from 'neuroglancer/unstable/chunk_manager/base.js'

// What Neuroglancer's worker keeps of a chunk, as far as it is used here; its own types are not published.
export interface Chunk {
  readonly key: string
  readonly state: ChunkState
  downloadAbortController?: AbortController | undefined
  freeSystemMemory(): void
}

export interface ChunkQueueManager {
  readonly rpc: { invoke(name: string, message: object): void }
  updateChunkState(chunk: Chunk, state: ChunkState): void
  scheduleUpdate(): void
}

/** Has a chunk fetched again, as Neuroglancer does with all chunks of a source when that is invalidated. */
export function renewChunk(queueManager: ChunkQueueManager, { rpcId }: { readonly rpcId: number }, chunk: Chunk): void {
  const isInPage = chunk.state === ChunkState.GPU_MEMORY || chunk.state === ChunkState.SYSTEM_MEMORY
  if (chunk.state === ChunkState.DOWNLOADING) {
    const controller = chunk.downloadAbortController
    // Else its end would count as that of a download that has failed, and the chunk be a hole for ever.
    chunk.downloadAbortController = undefined
    controller?.abort()
  } else if (chunk.state === ChunkState.SYSTEM_MEMORY_WORKER) chunk.freeSystemMemory()
  queueManager.updateChunkState(chunk, ChunkState.QUEUED)
  if (isInPage) queueManager.rpc.invoke('Chunk.update', { source: rpcId, id: chunk.key, state: ChunkState.EXPIRED })
}
