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

export const PLANE: Planes['plane'] = [
  { name: 'y', type: 'space' },
  { name: 'x', type: 'space' },
]

/** Images along z, in their order. */
export const stack = (count: number): Planes => ({
  planes: count === 1 ? [] : [{ axis: { name: 'z', type: 'space' }, length: count }],
  plane: PLANE,
  imageAt: ([z = 0]) => z,
})
