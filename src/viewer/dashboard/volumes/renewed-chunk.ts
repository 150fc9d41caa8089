import { ChunkPriorityTier, ChunkState } from 'neuroglancer/unstable/chunk_manager/base.js'

// The parts of a chunk in Neuroglancer's worker that are used here; it does not publish types for them.
export interface Chunk {
  readonly key: string
  readonly state: ChunkState
  readonly priorityTier: ChunkPriorityTier
  downloadAbortController?: AbortController | undefined
  freeSystemMemory(): void
}

export interface ChunkQueueManager {
  readonly rpc: { invoke(name: string, message: object): void }
  updateChunkState(chunk: Chunk, state: ChunkState): void
  scheduleUpdate(): void
}

/** Fetches a chunk again, as Neuroglancer does with all chunks of a source that is invalidated. */
export function renewChunk(queueManager: ChunkQueueManager, { rpcId }: { readonly rpcId: number }, chunk: Chunk): void {
  const isInPage = chunk.state === ChunkState.GPU_MEMORY || chunk.state === ChunkState.SYSTEM_MEMORY
  if (chunk.state === ChunkState.DOWNLOADING) {
    const controller = chunk.downloadAbortController
    // Otherwise the abort would count as a failed download, and the chunk would stay empty forever.
    chunk.downloadAbortController = undefined
    controller?.abort()
  } else if (chunk.state === ChunkState.SYSTEM_MEMORY_WORKER) chunk.freeSystemMemory()
  queueManager.updateChunkState(chunk, ChunkState.QUEUED)
  if (isInPage) queueManager.rpc.invoke('Chunk.update', { source: rpcId, id: chunk.key, state: ChunkState.EXPIRED })
}

const LOOK_MS = 50
/** A server that does not answer holds nothing up for longer. */
const LONGEST_MS = 4000

/** Waits until all chunks that are in view have been fetched, at most some seconds. */
export async function untilFetched(chunks: readonly Chunk[], longestMs = LONGEST_MS): Promise<void> {
  const isAwaited = ({ state, priorityTier }: Chunk) =>
    priorityTier === ChunkPriorityTier.VISIBLE && (state === ChunkState.QUEUED || state === ChunkState.DOWNLOADING)
  const end = performance.now() + longestMs
  while (chunks.some(isAwaited) && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
}
