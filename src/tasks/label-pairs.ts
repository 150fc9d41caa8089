import { countElements, type VolumeArray } from '../entry/index.ts'
import { DisjointSets, forwardSteps, type Step } from '../entry/kernels.ts'
import { readRow } from './rows.ts'

export interface Neighbour {
  readonly direction: Step
  /** The index of a block's neighbour in this direction; undefined if that is outside of the grid. */
  of(index: number): number | undefined
}

/** The neighbours that come after a block and that its voxels can touch; pairs with earlier blocks belong to those. */
export function neighboursIn(shape: readonly number[], connectivity: number): Neighbour[] {
  const strides = shape.map((_, axis) => Number(countElements(shape.slice(axis + 1))))
  return forwardSteps(shape.length, connectivity).map((direction) => ({
    direction,
    of(index) {
      const isInside = direction.every((by, axis) => {
        const at = (Math.floor(index / (strides[axis] as number)) % (shape[axis] as number)) + by
        return at >= 0 && at < (shape[axis] as number)
      })
      return isInside ? index + direction.reduce((sum, by, axis) => sum + by * (strides[axis] as number), 0) : undefined
    },
  }))
}

/** Pairs of labels of a block and its neighbours, without pairs that follow from others. */
export class Forest {
  /** Three numbers per pair: a label of the block, the number of the neighbour, and the label there. */
  readonly pairs: number[] = []
  readonly #sets = new DisjointSets()
  readonly #members: Map<number, number>[] = []

  join(mine: number, neighbour: number, other: number): void {
    if (this.#sets.unite(this.#member(0, mine), this.#member(1 + neighbour, other)))
      this.pairs.push(mine, neighbour, other)
  }

  #member(block: number, label: number): number {
    const members = (this.#members[block] ??= new Map())
    let member = members.get(label)
    if (member === undefined) members.set(label, (member = this.#sets.add()))
    return member
  }
}

/** Reads the rows of all blocks: the number of components, the number of pairs, and the pairs. */
export async function readPairs(pairs: VolumeArray, count: number, signal: AbortSignal): Promise<Uint32Array[]> {
  const chunk = pairs.chunkShape[1] as number
  const read = async (index: number): Promise<Uint32Array> => {
    const start = (await readRow(pairs, index, 0, chunk, signal)) as Uint32Array
    const length = 2 + 3 * (start[1] as number)
    // A copy, so that the rest of the chunk is not kept in memory.
    return length <= chunk ? start.slice(0, length) : ((await readRow(pairs, index, 0, length, signal)) as Uint32Array)
  }
  const rows: Uint32Array[] = []
  const atOnce = 32
  while (rows.length < count) {
    const next = Array.from({ length: Math.min(atOnce, count - rows.length) }, (_, i) => read(rows.length + i))
    rows.push(...(await Promise.all(next)))
  }
  return rows
}
