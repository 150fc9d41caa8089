import type { NiftiHeader } from './nifti-fields.ts'

/** Share of a voxel that an axis may lean to the side and still count as parallel to its axis of the world. */
const TOLERANCE = 1e-4

/**
 * Where the centre of the first voxel lies along x, y and z. Undefined if the header doesn't say, or if the voxels are turned or mirrored against
 * the axes of the world, which Bellis's coordinates can't express.
 */
export function positionsOf(header: NiftiHeader): readonly number[] | undefined {
  if (header.sform > 0) return inMatrix(header.matrix)
  return header.qform > 0 ? inMatrix(matrixOf(header)) : undefined
}

function inMatrix(rows: readonly number[]): readonly number[] | undefined {
  const positions: number[] = []
  for (let row = 0; row < 3; row++) {
    const along = rows[4 * row + row] as number
    if (!(along > 0)) return undefined
    for (let column = 0; column < 3; column++) {
      if (column !== row && Math.abs(rows[4 * row + column] as number) > TOLERANCE * along) return undefined
    }
    positions.push(rows[4 * row + 3] as number)
  }
  return positions
}

/** The matrix of the quaternion, as the standard gives it (method 2). */
function matrixOf({ quaternion, pixdim }: NiftiHeader): number[] {
  const [b = 0, c = 0, d = 0, x = 0, y = 0, z = 0] = quaternion
  const a = Math.sqrt(Math.max(0, 1 - b * b - c * c - d * d))
  const [, i = 1, j = 1, k = 1] = pixdim
  const turn = (pixdim[0] as number) < 0 ? -1 : 1
  return [
    ...[(a * a + b * b - c * c - d * d) * i, 2 * (b * c - a * d) * j, 2 * (b * d + a * c) * k * turn, x],
    ...[2 * (b * c + a * d) * i, (a * a + c * c - b * b - d * d) * j, 2 * (c * d - a * b) * k * turn, y],
    ...[2 * (b * d - a * c) * i, 2 * (c * d + a * b) * j, (a * a + d * d - c * c - b * b) * k * turn, z],
  ]
}
