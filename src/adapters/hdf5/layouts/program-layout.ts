import type { DType } from '../../../core/array/dtype.ts'
import type { ArrayAxis } from '../../../ports/chunked-array.ts'

/** What the rest of a file says about a dataset, in the layout of a program. */
export interface ProgramLayout {
  /** z, y, x; without a scale where the program says none. */
  readonly axes: readonly ArrayAxis[]
  /** The element type that is meant, of the same size as the stored one. */
  readonly dtype?: DType
  /** The voxels that are meant; the rest fills up chunks. */
  readonly shape?: readonly number[]
}
