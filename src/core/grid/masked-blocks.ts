import type { Coordinate } from '../geometry/coordinate.ts'
import { type Roi, roiEnd } from '../geometry/roi.ts'
import { isBitSet } from '../scheduling/bitmap.ts'
import type { BlockGrid } from './block-grid.ts'
import { boxIndices } from './index-box.ts'

/** Voxels of a mask, C order, of which those that are not 0 are inside. */
export interface MaskVoxels {
  readonly data: ArrayLike<number | bigint>
  readonly roi: Roi
  readonly voxelSize: Coordinate
}

/** The first and the last block that each voxel along an axis meets; the last one is lower if there is none. */
interface Reach {
  readonly first: Int32Array
  readonly last: Int32Array
}

/** Finds the blocks of a task that write inside a mask, from the voxels of the mask, given part by part. */
export class MaskedBlocks {
  readonly #grid: BlockGrid
  /** Bit i % 8 (lowest first) of byte floor(i / 8): block i writes nothing inside. */
  readonly bits: Uint8Array

  constructor(grid: BlockGrid) {
    this.#grid = grid
    this.bits = new Uint8Array(Math.ceil(grid.blockCount / 8)).fill(0xff)
    const beyond = this.bits.length * 8 - grid.blockCount
    if (beyond > 0) this.bits[this.bits.length - 1] = 0xff >> beyond
  }

  /** The region that all blocks write together. */
  get written(): Roi {
    const { totalWriteRoi, shape, writeRoi, fit } = this.#grid
    if (fit === 'shrink') return totalWriteRoi
    return { offset: totalWriteRoi.offset, shape: shape.map((count, axis) => count * (writeRoi.shape[axis] as number)) }
  }

  /** Whether some block that meets a region is not known to be inside. */
  isOpen(region: Roi): boolean {
    const reaches = region.shape.map((length, axis) => this.#reach(axis, region.offset[axis] as number, length, 1))
    const box = { start: reaches.map(({ first }) => first[0]!), end: reaches.map(({ last }) => last[0]! + 1) }
    for (const index of boxIndices(box, this.#grid.shape)) if (isBitSet(this.bits, index)) return true
    return false
  }

  add({ data, roi, voxelSize }: MaskVoxels): void {
    const shape = roi.shape.map((length, axis) => length / (voxelSize[axis] as number))
    const reaches = shape.map((count, axis) =>
      this.#reach(axis, roi.offset[axis] as number, voxelSize[axis] as number, count),
    )
    const rank = shape.length
    const across = reaches[rank - 1] as Reach
    const length = shape[rank - 1] as number
    const rows = data.length / length
    const start: number[] = new Array(rank).fill(0)
    const end: number[] = new Array(rank).fill(0)
    for (let row = 0; row < rows; row++) {
      let rest = row
      for (let axis = rank - 2; axis >= 0; axis--) {
        const at = rest % (shape[axis] as number)
        rest = (rest - at) / (shape[axis] as number)
        start[axis] = reaches[axis]!.first[at]!
        end[axis] = reaches[axis]!.last[at]! + 1
      }
      this.#addRow(data, row * length, across, start, end)
    }
  }

  #addRow(data: MaskVoxels['data'], from: number, { first, last }: Reach, start: number[], end: number[]): void {
    const axis = start.length - 1
    let known = -1
    for (let at = 0; at < first.length; at++) {
      // Neighbours mostly meet the same blocks.
      if (!data[from + at] || last[at]! <= known) continue
      start[axis] = first[at]!
      end[axis] = last[at]! + 1
      known = last[at]!
      for (const index of boxIndices({ start, end }, this.#grid.shape)) {
        this.bits[(index - (index & 7)) / 8]! &= ~(1 << (index & 7))
      }
    }
  }

  #reach(axis: number, offset: number, size: number, count: number): Reach {
    const [low, high] = [this.written.offset[axis] as number, roiEnd(this.written)[axis] as number]
    const step = this.#grid.writeRoi.shape[axis] as number
    const reach = { first: new Int32Array(count), last: new Int32Array(count) }
    for (let at = 0; at < count; at++) {
      const from = Math.max(low, offset + at * size)
      const to = Math.min(high, offset + (at + 1) * size)
      reach.first[at] = from < to ? Math.floor((from - low) / step) : 0
      reach.last[at] = from < to ? Math.floor((to - 1 - low) / step) : -1
    }
    return reach
  }
}
