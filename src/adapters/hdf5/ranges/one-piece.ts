import { offsetOf } from '../../../core/array/box-copy.ts'
import { rowMajorStrides } from '../../../core/array/strides.ts'
import { subtractCoordinates } from '../../../core/geometry/coordinate.ts'
import type { Roi } from '../../../core/geometry/roi.ts'
import type { ByteFile } from '../../../ports/byte-file.ts'
import { swapBytes } from '../../files/swap-bytes.ts'

/** Shorter rows are left to the library, which reads several at once. */
const LEAST_ROW_BYTES = 16 * 2 ** 10

/** A dataset that lies in one piece in a file on a disk. */
export interface OnePiece {
  readonly file: ByteFile
  /** Its first byte. */
  readonly start: number
  readonly shape: readonly number[]
  readonly elementBytes: number
  readonly bigEndian: boolean
}

/**
 * Reads a box straight to where its voxels belong.
 * @param target memory of a box, C order, that contains `box`
 * @returns false if the library has to read it: its rows are short, or the file ends before them
 */
export function readOnePiece(
  { file, start, shape, elementBytes, bigEndian }: OnePiece,
  box: Roi<'voxel'>,
  target: { readonly bytes: Uint8Array; readonly box: Roi<'voxel'> },
): boolean {
  // Axes that are complete in the file and in memory continue the rows.
  let axis = shape.length - 1
  while (axis > 0 && box.shape[axis] === shape[axis] && box.shape[axis] === target.box.shape[axis]) axis--
  const rowBytes = box.shape.slice(axis).reduce((product, length) => product * length, elementBytes)
  if (rowBytes < LEAST_ROW_BYTES) return false
  const [stored, memory] = [rowMajorStrides(shape, elementBytes), rowMajorStrides(target.box.shape, elementBytes)]
  const from = start + offsetOf(box.offset, stored)
  const to = offsetOf(subtractCoordinates(box.offset, target.box.offset), memory)
  const read = (depth: number, source: number, at: number): boolean => {
    if (depth === axis) {
      const row = target.bytes.subarray(at, at + rowBytes)
      if (file.read(row, source) < rowBytes) return false
      if (bigEndian) swapBytes(row, elementBytes)
      return true
    }
    for (let i = 0; i < (box.shape[depth] as number); i++) {
      if (!read(depth + 1, source + i * (stored[depth] as number), at + i * (memory[depth] as number))) return false
    }
    return true
  }
  return read(0, from, to)
}
