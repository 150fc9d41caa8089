// What the viewer's page is told: made where the data lie, drawn in the browser.

export const LAYOUTS = ['xy', 'xz', 'yz', '4panel', '3d'] as const
export type Layout = (typeof LAYOUTS)[number]

export type LayerKind = 'image' | 'segmentation'

/** One dataset on the page. */
export interface ViewLayer {
  /** Short, and different for each layer. */
  readonly name: string
  /** The dataset as the user gave it. */
  readonly path: string
  readonly kind: LayerKind
  /** Where its Zarr group is, relative to the page. */
  readonly source: string
  readonly zarrFormat: 2 | 3
  /** As it is stored. */
  readonly dtype: string
  readonly shape: readonly number[]
  /** For people: `50 × 4.6 × 4.6 nm`. */
  readonly voxelSize: string
  /** The values that become black and white; images alone. */
  readonly range?: readonly [number, number]
  /** The one value of all voxels that were looked at, where there is but one. */
  readonly only?: string
}

/** An axis of the space that the layers share. */
export interface ViewAxis {
  readonly name: string
  /** One voxel of the first layer that has this axis, in `unit`. */
  readonly scale: number
  readonly unit: 'm' | 's' | ''
  /** Where the first layer that has this axis begins and ends, voxels. */
  readonly lower: number
  readonly upper: number
}

export interface View {
  readonly layers: readonly ViewLayer[]
  /** Slowest first. */
  readonly axes: readonly ViewAxis[]
  /** The middle of the first view, voxels, one per axis. */
  readonly position: readonly number[]
  readonly layout: Layout
  /** How many voxels of the first layer may fall on one pixel at first: more would load more than a screen can show. */
  readonly coarsest: number
}

/** What the page asks for again and again, to tell when something is gone. */
export interface ViewStatus {
  /** The names of the layers whose data are no longer there. */
  readonly missing: readonly string[]
}
