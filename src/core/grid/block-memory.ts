import { ConfigError } from '../errors.ts'
import { showBytes } from '../text/numbers.ts'
import type { BlockGrid } from './block-grid.ts'

/** What a run keeps of each block in memory, about: see SCALE.md. */
const BYTES_PER_BLOCK = 0.3

/**
 * Refuses blocks of which the coordinator could not keep the states: memory would run out in the middle of the start, or of the run.
 * @param memory of the machine, bytes
 * @throws ConfigError `TOO_MANY_BLOCKS`
 */
export function assertStatesFit(
  tasks: readonly { readonly id: string; readonly grid: Pick<BlockGrid, 'blockCount'> }[],
  memory: number,
): void {
  const needed = tasks.reduce((bytes, { grid }) => bytes + BYTES_PER_BLOCK * grid.blockCount, 0)
  const [largest] = tasks.toSorted((a, b) => b.grid.blockCount - a.grid.blockCount)
  if (needed <= memory / 2 || largest === undefined) return
  throw new ConfigError(
    'TOO_MANY_BLOCKS',
    `Task "${largest.id}" has ${largest.grid.blockCount} blocks, whose states take more than half of the ${showBytes(memory)} of memory here; use larger blocks, or several runs, each with a part of the volume.`,
  )
}
