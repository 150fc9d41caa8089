import { centerOf } from './decimal.ts'
import type { PlacedAxis } from './placement.ts'

// The description of an array's axes and placement in OME-NGFF's multiscales.

/** An axis of an array to be described. */
export interface OmeAxis {
  readonly name: string
  readonly type: PlacedAxis['type']
  readonly unit?: string | undefined
  /** Units per voxel. */
  readonly scale: number
  /** Start of voxel 0, in units. */
  readonly edge: number
  /** What the translation refers to: the start or the centre of voxel 0. */
  readonly translationOf: 'edge' | 'center'
}

/** The entries of `axes`. */
export const omeAxes = (axes: readonly Pick<OmeAxis, 'name' | 'type' | 'unit'>[]) =>
  axes.map(({ name, type, unit }) => ({ name, type, ...(unit === undefined ? {} : { unit }) }))

/** The `coordinateTransformations` of an array, in exact decimals. */
export const omeTransformations = (axes: readonly OmeAxis[]) => [
  { type: 'scale', scale: axes.map(({ scale }) => scale) },
  {
    type: 'translation',
    translation: axes.map(({ edge, scale, translationOf }) =>
      translationOf === 'center' ? centerOf(edge, scale) : edge,
    ),
  },
]
