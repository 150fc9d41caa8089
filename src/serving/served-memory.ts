import { totalmem } from 'node:os'
import { MemoryBudget } from './memory-budget.ts'

/** The memory that all requests of a server may use together. */
export interface ServedMemory {
  /** For what is sent. */
  readonly answers: MemoryBudget
  /** For stored chunks that are larger than what is sent. A chunk that is larger than all of it is read alone. */
  readonly chunks: MemoryBudget
  /** How long such a chunk is kept for further requests, ms. */
  readonly keepMs: number
}

const ANSWER_BYTES = 128 * 2 ** 20
const LARGEST_CHUNKS_BYTES = 2 ** 30
const MOST_WAITING = 256

/** @param keepMs 0 if the data may change: a chunk that is read again is always the present one */
export const servedMemory = ({ keepMs = 5000 } = {}): ServedMemory => ({
  answers: new MemoryBudget({ bytes: ANSWER_BYTES, mostWaiting: MOST_WAITING }),
  chunks: new MemoryBudget({
    bytes: Math.min(LARGEST_CHUNKS_BYTES, Math.floor(totalmem() / 4)),
    mostWaiting: MOST_WAITING,
  }),
  keepMs,
})
