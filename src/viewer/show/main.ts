import 'neuroglancer'
import { setupDefaultViewer } from 'neuroglancer/unstable/ui/default_viewer_setup.js'
import type { Viewer } from 'neuroglancer/unstable/viewer.js'
import type { Layout, View } from '../../core/view/view.ts'
import { keepTabs } from '../shared/keep-tabs.ts'
import {
  type Arrangement,
  arrangementOf,
  fitScales,
  layoutState,
  neuroglancerState,
  OBLIQUE,
  withCurrentSources,
} from '../shared/neuroglancer-state.ts'
import { initialTheme, type Theme, toggleTheme } from '../shared/theme.ts'
import { type Connection, watchConnection } from './connection.ts'
import { countUnreadable } from './unreadable-chunks.ts'
import '../shared/style.css'

const element = <Kind extends HTMLElement>(id: string): Kind => document.getElementById(id) as Kind

const base = new URL('.', location.href).href

void start()

async function start(): Promise<void> {
  const view = await loadView()
  if (view === undefined) return
  if (document.createElement('canvas').getContext('webgl2') === null) {
    showMessage(
      'This browser has no WebGL 2, which drawing the volumes needs.',
      'Another browser, or its hardware acceleration turned on, may help.',
    )
    return
  }
  const hash = withCurrentSources(location.hash, base)
  if (hash !== location.hash) history.replaceState(null, '', hash)
  const viewer = setupDefaultViewer({
    target: element('neuroglancer-container'),
    showLayerDialog: false,
    resetStateWhenEmpty: false,
    showToolPaletteButton: false,
    showLayerListPanelButton: false,
  } as Parameters<typeof setupDefaultViewer>[0])
  if (!hash.startsWith('#!')) viewer.state.restoreState(neuroglancerState(view, base, area()))
  describe(view)
  tellOfNothing(view)
  keepTabs(element('neuroglancer-container'))
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

/** What is shown, in the page's own words: name, shape, dtype, voxel size. */
function describe({ layers }: View): void {
  const list = element('datasets')
  list.replaceChildren(
    ...layers.map((layer) => {
      const item = document.createElement('li')
      const name = document.createElement('b')
      name.textContent = layer.name
      const facts = document.createElement('span')
      facts.textContent = `${layer.shape.join(' × ')} ${layer.dtype}, ${layer.voxelSize}`
      item.title = `${layer.path}\n${layer.kind}, ${facts.textContent}`
      item.append(name, ' ', facts)
      return item
    }),
  )
}

/** A black picture is no answer to whether there is something in it. */
function tellOfNothing({ layers }: View): void {
  const plain = layers.filter(({ only }) => only !== undefined)
  if (plain.length === 0) return
  const values = [...new Set(plain.map(({ only }) => only))].join(' or ')
  showMessage(
    `${plain.map(({ name }) => name).join(', ')}: every voxel that was looked at is ${values}.`,
    'There may be nothing in it yet; reload the page when there is.',
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
    const color = theme === 'light' ? '#e8ebee' : '#14171b'
    viewer.crossSectionBackgroundColor.restoreState(color)
    viewer.perspectiveViewBackgroundColor.restoreState(color)
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
        `${connection.layers.join(', ')}: the data are no longer there.`,
        'They were moved or removed. What is on the screen was loaded before.',
      )
      return
    case 'unreadable':
      showMessage(
        `${connection.layers.join(', ')}: ${connection.chunks === 1 ? 'a chunk' : `${connection.chunks} chunks`} of what is seen can’t be read.`,
        'There the picture has a hole. Copying the dataset with bellis convert names the file, if bellis has not said it where it runs.',
      )
      return
    case 'stopped':
      showMessage(
        'bellis does not answer any more.',
        'It was ended, or the connection to it was. Start it again and open the address it prints; the rest of this address, from # on, still fits there.',
      )
      return
    case 'replaced':
      showMessage(
        'bellis was started again since.',
        'Open the address it has printed; the rest of this address, from # on, still fits there.',
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
