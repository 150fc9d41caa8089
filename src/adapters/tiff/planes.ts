import type { ArrayAxis } from '../../ports/chunked-array.ts'

/** The axes of an array that is made of images. */
export interface Planes {
  /** The axes that count images, slowest first: some of channel, time and z. */
  readonly planes: readonly { readonly axis: ArrayAxis; readonly length: number }[]
  /** y and x. */
  readonly plane: readonly [ArrayAxis, ArrayAxis]
  /** The image at a place along these axes. */
  readonly imageAt: (place: readonly number[]) => number
}
