import type { DashboardView } from '../../../core/board/summary.ts'
import { type Area, fitScales, neuroglancerState } from '../../shared/neuroglancer-state.ts'
import { statesShader } from './states-shader.ts'

/** A browser opens six connections to one server; more downloads would only queue requests that are outdated later. */
const DOWNLOADS = 6
/** Images are side by side if each is at least this wide, CSS pixels; otherwise there is one at a time. */
const SMALLEST_PANEL = 260

/** Which images have panels. */
export interface Panels {
  /** Numbers of layers, side by side. */
  readonly shown: readonly number[]
  /** All images to choose from if there is no room for them; empty if all are shown. */
  readonly tabs: readonly number[]
}

/** The images of a run: what it writes, and what it reads unless it writes several. */
export function panelsOf({ layers, outputs }: DashboardView, { width }: Area, chosen?: number): Panels {
  const images = (from: readonly number[]) => from.filter((layer) => layers[layer]?.kind === 'image')
  const written = images([...new Set(outputs.map(({ layer }) => layer))])
  const read = images([...layers.keys()].filter((layer) => !outputs.some((output) => output.layer === layer)))
  const all = written.length >= 2 ? written : [...read, ...written]
  if (all.length === 0) return { shown: [0], tabs: [] }
  if (all.length * SMALLEST_PANEL <= width) return { shown: all, tabs: [] }
  const tabs = [...written, ...read]
  return { shown: [chosen !== undefined && tabs.includes(chosen) ? chosen : (tabs[0] as number)], tabs }
}

/** Neuroglancer's layout: a panel for each image, and over it the labels and block states that belong to it. */
export function panelLayout(view: DashboardView, { shown }: Panels): object {
  const layerOf = new Map(view.outputs.map(({ task, layer }) => [task, layer]))
  const labels = view.layers
    .filter(({ kind }, layer) => kind === 'segmentation' && view.outputs.some((output) => output.layer === layer))
    .map(({ name }) => name)
  const children = shown.map((layer) => {
    const states = view.states.filter(({ task }) => layerOf.get(task) === layer).map(({ name }) => name)
    const { name } = view.layers[layer] as { name: string }
    return { type: 'viewer', layers: [...new Set([name, ...labels, ...states])], layout: 'xy' }
  })
  return children.length === 1 ? (children[0] as object) : { type: 'row', children }
}

/**
 * Neuroglancer's state for the volumes of a run.
 * @param base the address of the page, ending in a slash
 * @param hasOverlay whether block states are visible
 */
export function panelState(view: DashboardView, base: string, area: Area, panels: Panels, hasOverlay: boolean): object {
  // Fitted to the layers that have panels, and to the size of one panel.
  const layers = panels.shown.map((layer) => view.layers[layer] as DashboardView['layers'][number])
  const room: Area = { width: area.width / panels.shown.length, height: area.height }
  const state = neuroglancerState(view, base, area)
  return {
    ...state,
    ...fitScales({ ...view, layers }, { layout: 'xy', sideBySide: false }, room),
    showAxisLines: false,
    showDefaultAnnotations: false,
    // Prefetched neighbouring sections would be fetched again and again while they are written.
    prefetch: false,
    concurrentDownloads: DOWNLOADS,
    layers: [...(state.layers as object[]), ...view.states.map((states) => statesLayer(states, base, hasOverlay))],
    layout: panelLayout(view, panels),
  }
}

const statesLayer = ({ name, source }: DashboardView['states'][number], base: string, visible: boolean): object => ({
  type: 'image',
  source: `${new URL(source, base).href}|zarr3:`,
  tab: 'rendering',
  name,
  opacity: 1,
  blend: 'default',
  shader: statesShader(),
  visible,
})
