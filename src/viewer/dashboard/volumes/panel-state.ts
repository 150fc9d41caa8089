import type { DashboardView } from '../../../core/board/summary.ts'
import { type Area, fitScales, neuroglancerState } from '../../shared/neuroglancer-state.ts'
import { statesShader } from './states-shader.ts'

/** A browser opens six connections to one server; more downloads would only queue requests that are outdated later. */
const DOWNLOADS = 6
/** Below this width the panels are stacked, CSS pixels. */
const NARROW = 560
const MAX_PANELS = 3

/**
 * Neuroglancer's state for the volumes of a run: a panel for each image, and over it the labels and block states that belong to it.
 * @param base the address of the page, ending in a slash
 * @param hasOverlay whether block states are visible
 */
export function panelState(view: DashboardView, base: string, area: Area, hasOverlay: boolean): object {
  const panels = panelsOf(view)
  const isNarrow = area.width < NARROW
  // Fitted to the layers that have panels, and to the size of one panel.
  const shown = { ...view, layers: panels.map((layer) => view.layers[layer] as DashboardView['layers'][number]) }
  const room: Area = isNarrow
    ? { width: area.width, height: area.height / panels.length }
    : { width: area.width / panels.length, height: area.height }
  const state = neuroglancerState(view, base, area)
  const layerOf = new Map(view.outputs.map(({ task, layer }) => [task, layer]))
  const labels = view.layers
    .filter(({ kind }, layer) => kind === 'segmentation' && view.outputs.some((output) => output.layer === layer))
    .map(({ name }) => name)
  const children = panels.map((layer) => {
    const states = view.states.filter(({ task }) => layerOf.get(task) === layer).map(({ name }) => name)
    const { name } = view.layers[layer] as { name: string }
    return { type: 'viewer', layers: [...new Set([name, ...labels, ...states])], layout: 'xy' }
  })
  return {
    ...state,
    ...fitScales(shown, { layout: 'xy', sideBySide: false }, room),
    showAxisLines: false,
    showDefaultAnnotations: false,
    // Prefetched neighbouring sections would be fetched again and again while they are written.
    prefetch: false,
    concurrentDownloads: DOWNLOADS,
    layers: [...(state.layers as object[]), ...view.states.map((states) => statesLayer(states, base, hasOverlay))],
    layout: children.length === 1 ? children[0] : { type: isNarrow ? 'column' : 'row', children },
  }
}

const statesLayer = ({ name, source }: DashboardView['states'][number], base: string, visible: boolean): object => ({
  type: 'image',
  source: `${new URL(source, base).href}|zarr2:`,
  tab: 'rendering',
  name,
  opacity: 1,
  blend: 'default',
  shader: statesShader(),
  visible,
})

/** The images that get a panel: outputs, and inputs as far as there is room. */
function panelsOf({ layers, outputs }: DashboardView): number[] {
  const images = (from: readonly number[]) => from.filter((layer) => layers[layer]?.kind === 'image')
  const written = images([...new Set(outputs.map(({ layer }) => layer))])
  const read = images([...layers.keys()].filter((layer) => !outputs.some((output) => output.layer === layer)))
  const all = written.length >= 2 ? written : [...read, ...written]
  return all.length === 0 ? [0] : all.slice(-MAX_PANELS)
}
