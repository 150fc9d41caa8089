import { rowMajorStrides } from '../array/strides.ts'
import type { BlockGrid } from '../grid/block-grid.ts'
import { everyRow, splitIndex } from '../grid/index-box.ts'
import { isBitSet, nextSetBit } from '../scheduling/bitmap.ts'
import { TaskLink } from '../scheduling/task-link.ts'

/** A task of a run of which only some blocks are to be done. All bitmaps have bit i % 8 (lowest first) of byte floor(i / 8) for block i. */
export interface ChoosableTask {
  readonly id: string
  readonly grid: BlockGrid
  /** The places of the tasks before it, in the list of tasks. */
  readonly after: readonly number[]
  /** The blocks that are chosen. */
  readonly chosen: Uint8Array
  /** The blocks that need not run: they are done, or outside a mask. */
  readonly settled: Uint8Array | undefined
}

/**
 * The blocks that a start leaves as they are: all that are neither settled, nor chosen, nor awaited by a chosen block, directly or not.
 * So no chosen block reads what is not there; what waits for a chosen block is left out, unless it is chosen itself.
 * @param tasks each after those before it
 * @returns a bitmap for each task
 */
export function leftOutBlocks(tasks: readonly ChoosableTask[]): Uint8Array[] {
  const wanted = tasks.map(({ chosen }) => chosen.slice())
  for (let number = tasks.length - 1; number >= 0; number--) wantAwaited(tasks, number, wanted)
  return tasks.map(({ grid, settled }, number) => {
    const bits = (wanted[number] as Uint8Array).map((byte, at) => ~byte & ~(settled?.[at] ?? 0))
    const beyond = bits.length * 8 - grid.blockCount
    if (beyond > 0) bits[bits.length - 1]! &= 0xff >> beyond
    return bits
  })
}

/** Adds what the wanted blocks of a task wait for, in the same task and in those before it. */
function wantAwaited(tasks: readonly ChoosableTask[], number: number, wanted: readonly Uint8Array[]): void {
  const { id, grid, after, settled } = tasks[number] as ChoosableTask
  const mine = wanted[number] as Uint8Array
  const links = after.map((before) => {
    const { id: name, grid: up, settled: known } = tasks[before] as ChoosableTask
    const strides = rowMajorStrides(up.shape)
    return { link: new TaskLink(up, grid, [name, id]), strides, known, bits: wanted[before] as Uint8Array }
  })
  const at: number[] = []
  const stack: number[] = []
  const visit = (index: number) => {
    if (settled !== undefined && isBitSet(settled, index)) return
    splitIndex(index, grid.shape, at)
    for (const { link, strides, known, bits } of links) {
      everyRow(link.awaitedBox(at, at), strides, (first, beyond) => {
        for (let each = first; each < beyond; each++)
          if (known === undefined || !isBitSet(known, each)) setBit(bits, each)
        return true
      })
    }
    if (grid.levelCount === 1) return
    for (const other of grid.dependencies(index)) {
      if (isBitSet(mine, other) || (settled !== undefined && isBitSet(settled, other))) continue
      setBit(mine, other)
      stack.push(other)
    }
  }
  for (let index = -1; (index = nextSetBit(mine, index + 1, grid.blockCount)) < grid.blockCount; ) {
    visit(index)
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) visit(next)
  }
}

export function setBit(bits: Uint8Array, at: number): void {
  bits[(at - (at & 7)) / 8]! |= 1 << (at & 7)
}
