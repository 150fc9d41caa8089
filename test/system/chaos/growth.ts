import { largest, type Size } from './start.ts'

const MIB = 2 ** 20
/**
 * By how much a coordinator may grow while it does hundreds of thousands of blocks: the engine of JavaScript takes some 50 MiB before it
 * collects what is not needed any more, and a hundred bytes that are kept of each block would be as much again.
 */
const MOST_GROWTH_BYTES = 96 * MIB
/** Whatever it has done before. */
const MOST_BYTES = 320 * MIB
/** Workers that have just been killed, and those that replace them, are connected at once for a moment. */
const MOST_MORE_HANDLES = 16

/** What of a process has grown with time; undefined if nothing has. @param sizes in the order of time */
export function growthIn(what: string, sizes: readonly Size[]): string | undefined {
  const [first] = sizes
  if (first === undefined) return undefined
  const { memoryBytes, handles } = largest(sizes)
  if (memoryBytes > MOST_BYTES || memoryBytes - first.memoryBytes > MOST_GROWTH_BYTES)
    return `${what} grew from ${show(first)} to ${show({ memoryBytes, handles })}: expected at most ${MOST_GROWTH_BYTES / MIB} MiB more, and ${MOST_BYTES / MIB} MiB`
  if (handles - first.handles > MOST_MORE_HANDLES)
    return `${what} grew from ${show(first)} to ${show({ memoryBytes, handles })}: expected at most ${MOST_MORE_HANDLES} more handles`
  return undefined
}

export const show = ({ memoryBytes, handles }: Size): string =>
  `${(memoryBytes / MIB).toFixed(0)} MiB, ${handles} handles`
