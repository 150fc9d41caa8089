import type { Viewer } from 'neuroglancer/unstable/viewer.js'
import { BLOCK_STATES, type Layout, type View } from '../../core/view/view.ts'
import { element } from '../shared/elements.ts'
import {
  type Arrangement,
  arrangementOf,
  fitScales,
  layoutState,
  neuroglancerState,
  OBLIQUE,
  withCurrentSources,
} from '../shared/neuroglancer-state.ts'
import { createViewer, setBackground } from '../shared/neuroglancer-viewer.ts'
import { initialTheme, type Theme, toggleTheme } from '../shared/theme.ts'
import { type Connection, watchConnection } from './connection.ts'
import { countUnreadable } from './unreadable-chunks.ts'
import '../shared/style.css'

const base = new URL('.', location.href).href

void start()

async function start(): Promise<void> {
  const view = await loadView()
  if (view === undefined) return
  if (document.createElement('canvas').getContext('webgl2') === null) {
    showMessage(
      'This browser does not support WebGL 2, which is needed to draw volumes.',
      'Use another browser, or turn on hardware acceleration.',
    )
    return
  }
  const hash = withCurrentSources(location.hash, base)
  if (hash !== location.hash) history.replaceState(null, '', hash)
  const viewer = createViewer(element('neuroglancer-container'), { isInAddress: true })
  if (!hash.startsWith('#!')) viewer.state.restoreState(neuroglancerState(view, base, area()))
  describe(view)
  noteUniformLayers(view)
  bindLayouts(viewer, view)
  element('fit').addEventListener('click', () => fit(viewer, view))
  bindTheme(viewer)
  watchConnection(showConnection, async () => {
    const counts = [...(await countUnreadable(viewer))]
    return new Map(counts.map(([dataset, chunks]) => [view.layers[dataset]?.name ?? '', chunks]))
  })
  document.documentElement.dataset.ready = 'true'
}

const area = () => element('neuroglancer-container').getBoundingClientRect()

async function loadView(): Promise<View | undefined> {
  try {
    const response = await fetch('view.json')
    if (response.ok) return (await response.json()) as View
    showConnection({ state: 'replaced' })
  } catch {
    showConnection({ state: 'stopped' })
  }
  return undefined
}

/** Lists the datasets: name, shape, dtype, voxel size. */
function describe({ layers }: View): void {
  document.title = `${layers.map(({ name }) => name).join(', ')} · Bellis`
  const list = element('datasets')
  list.replaceChildren(
    ...layers.map((layer) => {
      const item = document.createElement('li')
      const name = document.createElement('b')
      name.textContent = layer.name
      const facts = document.createElement('span')
      facts.textContent = `${layer.shape.join(' × ')} ${layer.dtype}, ${layer.voxelSize}`
      item.title = `${layer.path}\n${layer.kind}, ${facts.textContent}`
      item.append(name, ' ', layer.hasStates ? statesLegend() : facts)
      return item
    }),
  )
}

/** What the colours of block states mean. */
function statesLegend(): HTMLElement {
  const legend = document.createElement('span')
  legend.className = 'states'
  for (const [value, meaning] of Object.entries(BLOCK_STATES)) {
    const color = document.createElement('i')
    color.className = `state-${value}`
    legend.append(color, ` ${meaning} `)
  }
  return legend
}

/** Explains a picture of a single colour. */
function noteUniformLayers({ layers }: View): void {
  const uniform = layers.filter(({ only }) => only !== undefined)
  if (uniform.length === 0) return
  const values = [...new Set(uniform.map(({ only }) => only))].join(' or ')
  showMessage(
    `${uniform.map(({ name }) => name).join(', ')}: every sampled voxel is ${values}.`,
    'Possibly nothing is written yet; reload the page later.',
    'note',
  )
}

function bindLayouts(viewer: Viewer, view: View): void {
  const group = element<HTMLFieldSetElement>('layouts')
  const beside = element<HTMLButtonElement>('beside')
  const inputs = [...group.querySelectorAll('input')]
  group.hidden = view.axes.length < 3
  beside.hidden = view.layers.filter((layer) => layer.kind === 'image').length < 2
  const current = () => arrangementOf(viewer.layout.toJSON())
  const arrange = (changes: Partial<Arrangement>) => {
    const { layout = 'xy', sideBySide } = current()
    const next = { layout, sideBySide, ...changes }
    viewer.layout.restoreState(layoutState(view, next, area()))
    if (next.sideBySide !== sideBySide) viewer.crossSectionScale.value = fitScales(view, next, area()).crossSectionScale
  }
  for (const input of inputs) input.addEventListener('change', () => arrange({ layout: input.value as Layout }))
  beside.addEventListener('click', () => arrange({ sideBySide: !current().sideBySide }))
  const follow = () => {
    const { layout, sideBySide } = current()
    for (const input of inputs) input.checked = input.value === layout
    beside.setAttribute('aria-pressed', String(sideBySide))
  }
  viewer.layout.changed.add(follow)
  follow()
}

function fit(viewer: Viewer, view: View): void {
  const { layout = '4panel', sideBySide } = arrangementOf(viewer.layout.toJSON())
  const { crossSectionScale, projectionScale } = fitScales(view, { layout, sideBySide }, area())
  viewer.position.value = Float32Array.from(neuroglancerState(view, base, area()).position as number[])
  viewer.crossSectionScale.value = crossSectionScale
  viewer.projectionScale.value = projectionScale
  viewer.crossSectionOrientation.reset()
  viewer.projectionOrientation.restoreState(OBLIQUE)
}

function bindTheme(viewer: Viewer): void {
  const show = (theme: Theme) => {
    document.documentElement.dataset.theme = theme
    setBackground(viewer, theme)
  }
  show(initialTheme())
  element('theme').addEventListener('click', () => show(toggleTheme()))
}

function showConnection(connection: Connection): void {
  switch (connection.state) {
    case 'live':
      element('message').hidden = true
      return
    case 'missing':
      showMessage(
        `${connection.layers.join(', ')}: the data no longer exist.`,
        'They were moved or removed. The page shows what was loaded before.',
      )
      return
    case 'unreadable':
      showMessage(
        `${connection.layers.join(', ')}: ${connection.chunks === 1 ? '1 visible chunk' : `${connection.chunks} visible chunks`} can’t be read.`,
        'These areas are blank. The terminal running bellis names the damaged file; so does bellis convert.',
      )
      return
    case 'stopped':
      showMessage(
        'bellis no longer responds.',
        'It has ended, or the connection to it is broken. Start it again and open the address it prints; the part of this address from # on can be appended there.',
      )
      return
    case 'replaced':
      showMessage(
        'bellis was started again.',
        'Open the address it printed; the part of this address from # on can be appended there.',
      )
      return
    default:
      connection satisfies never
  }
}

function showMessage(what: string, then: string, kind: 'alert' | 'note' = 'alert'): void {
  element('message').dataset.kind = kind
  element('what').textContent = what
  element('then').textContent = then
  element('message').hidden = false
}
