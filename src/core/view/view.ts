// The data for the viewer's page: built on the machine with the arrays, drawn in the browser.

export const LAYOUTS = ['xy', 'xz', 'yz', '4panel', '3d'] as const
export type Layout = (typeof LAYOUTS)[number]

export type LayerKind = 'image' | 'segmentation'

/** The attribute of an array of block states, as `bellis status --zarr` writes it. */
export const BLOCK_STATES_ATTRIBUTE = 'block_states'
/** The meaning of its elements. */
export const BLOCK_STATES = { 0: 'not done', 1: 'done', 2: 'failed', 3: 'outside the mask' } as const

/** One dataset on the page. */
export interface ViewLayer {
  /** Short and unique among the layers. */
  readonly name: string
  /** The dataset as the user gave it. */
  readonly path: string
  readonly kind: LayerKind
  /** Path of its Zarr group, relative to the page. */
  readonly source: string
  readonly zarrFormat: 2 | 3
  /** The stored dtype. */
  readonly dtype: string
  readonly shape: readonly number[]
  /** For people: `50 × 4.6 × 4.6 nm`. */
  readonly voxelSize: string
  /** Whether it is an image of {@link BLOCK_STATES}, shown in their colours over the others. */
  readonly hasStates?: boolean
  /** The values drawn as black and white; for images only. */
  readonly range?: readonly [number, number]
  /** The value of all sampled voxels, if they are equal. */
  readonly only?: string
}

/** An axis of the space shared by the layers. */
export interface ViewAxis {
  readonly name: string
  /** One voxel of the first layer that has this axis, in `unit`. */
  readonly scale: number
  readonly unit: 'm' | 's' | ''
  /** Start and end of the first layer that has this axis, voxels. */
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
  /** The most voxels of the first layer per pixel in the first view; more would load more than a screen can show. */
  readonly coarsest: number
}

/** Requested repeatedly by the page, to notice missing data. */
export interface ViewStatus {
  /** The names of the layers whose data no longer exist. */
  readonly missing: readonly string[]
}
