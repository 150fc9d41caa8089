import {
  type BLOCK_STATES,
  LAYOUTS,
  type Layout,
  type View,
  type ViewAxis,
  type ViewLayer,
} from '../../core/view/view.ts'

/** The size of Neuroglancer's element, CSS pixels. */
export interface Area {
  readonly width: number
  readonly height: number
}

// Height of Neuroglancer's bar of layers and position, and of the borders between panels.
const BARS = 64
const MARGIN = 1.06
/** In perspective, near parts are drawn larger. */
const MARGIN_3D = 1.1

/** The displayed axes in Neuroglancer's order: x, y, z, fastest first. */
const seenAxes = ({ axes }: View): ViewAxis[] => {
  const space = axes.filter((axis) => axis.unit === 'm' || axis.unit === '').slice(-3)
  const seen = space.length >= 2 ? space : axes.slice(-3)
  return [...seen].reverse()
}

const PLANES: Readonly<Record<Layout, readonly (readonly [number, number])[]>> = {
  xy: [[0, 1]],
  xz: [[0, 2]],
  yz: [[2, 1]],
  '4panel': [[0, 1], [0, 2], [2, 1]],
  '3d': [[0, 1], [0, 2], [2, 1]],
} // biome-ignore format: a table

/** The arrangement of panels. */
export interface Arrangement {
  readonly layout: Layout
  /** Each image has its own panels, moved together, with all labels over it. */
  readonly sideBySide: boolean
}

const NARROW = 700

/** States lie over images, unless there is nothing else. */
const imagesOf = ({ layers }: View): ViewLayer[] => {
  const images = layers.filter((layer) => layer.kind === 'image')
  const others = images.filter((layer) => layer.hasStates !== true)
  return others.length > 0 ? others : images
}

const overlaysOf = (view: View): ViewLayer[] => view.layers.filter((layer) => !imagesOf(view).includes(layer))

/** The initial arrangement: several images side by side; a single section if there is no room for four panels or no third axis. */
function firstArrangement(view: View, { width }: Area): Arrangement {
  const sideBySide = imagesOf(view).length > 1
  const isOne = sideBySide || width < NARROW || seenAxes(view).length < 3
  return { layout: view.layout === '4panel' && isOne ? 'xy' : view.layout, sideBySide }
}

/** Neuroglancer's current arrangement; `layout` is undefined if the page has no button for it. */
export function arrangementOf(state: unknown): { readonly layout: Layout | undefined; readonly sideBySide: boolean } {
  const { type = state, children, layout: own = type } = (state ?? {}) as Record<string, unknown>
  if (Array.isArray(children)) return { layout: arrangementOf(children[0]).layout, sideBySide: true }
  const name = type === 'viewer' ? arrangementOf(own).layout : type
  return { layout: LAYOUTS.find((layout) => layout === name || `${layout}-alt` === name), sideBySide: false }
}

/**
 * The scales at which the complete first dataset is visible, limited by what a screen can show of its coarsest level: voxels (of the finest
 * axis) per pixel in sections, and voxels across the 3-D view.
 */
export function fitScales(view: View, { layout, sideBySide }: Arrangement, area: Area) {
  const count = sideBySide ? imagesOf(view).length : 1
  const width = isColumn(area) ? area.width : area.width / count
  const height = isColumn(area) ? area.height / count : area.height
  const axes = seenAxes(view)
  const finest = Math.min(...axes.map((axis) => axis.scale))
  const lengths = axes.map(({ lower, upper, scale }) => (oddLength(lower, upper) * scale) / finest)
  const parts = layout === '4panel' ? 2 : 1
  const inner = Math.max(1, height - BARS)
  const perPixel = PLANES[layout].flatMap(([across, down]) => {
    const [w, h] = [lengths[across], lengths[down]]
    return w === undefined || h === undefined ? [] : [(w * parts) / width, (h * parts) / inner]
  })
  const fitted = MARGIN * Math.max(...perPixel)
  return {
    crossSectionScale: Math.min(fitted, 4 * view.coarsest),
    projectionScale: (MARGIN_3D * Math.hypot(...lengths)) / Math.min(1, width / inner),
  }
}

/** The extent of an axis that is symmetric around the middle of its middle voxel. */
const oddLength = (lower: number, upper: number): number => 2 * Math.floor(Math.round(upper - lower) / 2) + 1

const isColumn = ({ width }: Area): boolean => width < NARROW

// Quaternions that rotate the xy section.
const HALF = Math.SQRT1_2
const SECTIONS = { xy: [0, 0, 0, 1], xz: [HALF, 0, 0, HALF], yz: [0, HALF, 0, HALF] }
/** From the front, slightly from the right and from above. */
export const OBLIQUE = [0.18, 0.3, 0.06, 0.93]

/** An arrangement in Neuroglancer's format. */
export function layoutState(view: View, { layout, sideBySide }: Arrangement, area: Area): unknown {
  const one = singleLayout(view, layout)
  if (!sideBySide) return one
  const labels = overlaysOf(view).map((layer) => layer.name)
  const children = imagesOf(view).map(({ name }) => ({ type: 'viewer', layers: [name, ...labels], layout: one }))
  return { type: isColumn(area) ? 'column' : 'row', children }
}

/** The layout `3d` alone would draw no sections. */
function singleLayout(view: View, layout: Layout): unknown {
  if (layout !== '3d') return layout
  const pixels = 1000
  const whole = fitScales(view, { layout: 'xy', sideBySide: false }, { width: pixels, height: pixels }).projectionScale
  const value = Math.min(whole / pixels, 4 * view.coarsest)
  const section = (orientation: readonly number[]) => ({
    width: pixels,
    height: pixels,
    scale: { link: 'unlinked', value },
    orientation: { link: 'unlinked', value: orientation },
  })
  const crossSections = Object.entries(SECTIONS).map(([name, orientation]) => [name, section(orientation)])
  return { type: '3d', crossSections: Object.fromEntries(crossSections) }
}

/** Neuroglancer's state for a view. @param base the address of the page, ending in a slash */
export function neuroglancerState(view: View, base: string, area: Area): Record<string, unknown> {
  const seen = seenAxes(view)
  const order = [...seen, ...view.axes.filter((axis) => !seen.includes(axis)).reverse()]
  const arrangement = firstArrangement(view, area)
  // Labels lie over images, regardless of the given order.
  const layers = [...imagesOf(view), ...overlaysOf(view)]
  return {
    dimensions: Object.fromEntries(order.map(({ name, scale, unit }) => [name, [scale, unit]])),
    position: order.map((axis) => view.position[view.axes.indexOf(axis)]),
    ...fitScales(view, arrangement, area),
    layers: layers.map((layer) => layerState(layer, base)),
    selectedLayer: { layer: layers[0]?.name, visible: false },
    projectionOrientation: OBLIQUE,
    hideCrossSectionBackground3D: true,
    layout: layoutState(view, arrangement, area),
  }
}

/** The states of a record over the data: what is done hides nothing, the rest lies over it, transparent. */
function recordedStatesShader(): string {
  const cases = Object.entries(RECORDED_STATE_COLORS).map(
    ([value, color]) => `if (state == ${value}u) emitRGBA(vec4(${color}));`,
  )
  return `void main() {
  uint state = uint(getDataValue().value);
  ${cases.join('\n  else ')}
}`
}

/** Red, green, blue and opacity by value; the colours of the page of a run on a dark ground. */
const RECORDED_STATE_COLORS: Readonly<Record<keyof typeof BLOCK_STATES, string>> = {
  0: '0.36, 0.42, 0.47, 0.60',
  1: '0.24, 0.68, 0.40, 0.22',
  2: '0.90, 0.28, 0.18, 0.70',
  3: '0.45, 0.38, 0.58, 0.45',
}

const layerState = (layer: ViewLayer, base: string): Record<string, unknown> => ({
  type: layer.kind,
  source: `${new URL(layer.source, base).href}|zarr${layer.zarrFormat}:`,
  tab: layer.kind === 'image' ? 'rendering' : 'segments',
  name: layer.name,
  // The topmost image hides those below; its number key toggles it for comparison.
  ...(layer.hasStates
    ? { opacity: 1, shader: recordedStatesShader() }
    : layer.range === undefined
      ? {}
      : { opacity: 1, shaderControls: { normalized: { range: layer.range } } }),
})

/** Replaces the server's address in a state from an earlier start of the server. */
export const withCurrentSources = (hash: string, base: string): string =>
  hash.replace(/https?:\/\/[^/"%]+\/[\w-]{20,}\/data\//g, `${base}data/`)
