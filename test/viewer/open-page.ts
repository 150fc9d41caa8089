import type { Browser, Page } from 'playwright-core'
import type { View } from '../../src/core/view/view.ts'

/** The page, opened in a browser and drawn. */
export interface OpenPage extends AsyncDisposable {
  readonly page: Page
  readonly view: View
  /** What the browser complained about: scripts that failed, what the policy forbade. */
  readonly complaints: readonly string[]
  /** Puts changes over the state, by field and by layer, and waits until all is drawn. */
  restate(changes: Record<string, unknown>, layers?: Record<string, Record<string, unknown>>): Promise<void>
  /** The size of the first panel, pixels. */
  panel(): Promise<{ readonly width: number; readonly height: number }>
  /** The colour at the middle of each voxel of a plane, `#rrggbb` without the mark; undefined for what lies outside the panel. */
  colors(plane: Plane): Promise<(string | undefined)[]>
}

/** Voxels of a section, by their indices in the viewer's space. */
export interface Plane {
  /** The axis that runs to the right, and the one that runs down. */
  readonly across: string
  readonly down: string
  readonly acrossVoxels: readonly number[]
  readonly downVoxels: readonly number[]
}

interface PagePanel {
  canvasRelativeClippedLeft: number
  canvasRelativeClippedTop: number
  renderViewport: { logicalWidth: number; logicalHeight: number }
}

// What the page keeps of Neuroglancer, as far as it is used here.
interface PageViewer {
  isReady(): boolean
  display: { draw(): void; canvas: HTMLCanvasElement; panels: Iterable<PagePanel> }
  state: { toJSON(): Record<string, unknown>; reset(): void; restoreState(state: unknown): void }
  position: { value: Float32Array }
  coordinateSpace: { value: { names: string[]; scales: Float64Array } }
  crossSectionScale: { value: number }
}

export async function openPage(
  browser: Browser,
  address: string,
  options: Parameters<Browser['newPage']>[0] = {},
): Promise<OpenPage> {
  const page = await browser.newPage({ viewport: { width: 720, height: 480 }, ...options })
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => {
    // A part that is not there is how Zarr says "all fill value", or "no array but a group".
    if (message.type() === 'error' && !message.text().includes('404')) complaints.push(message.text())
  })
  await page.goto(address)
  await page.waitForFunction(() => document.documentElement.dataset.ready === 'true')
  const view = (await (await page.request.get(new URL('view.json', address).href)).json()) as View
  await settle(page)
  return {
    page,
    view,
    complaints,
    async restate(changes, layers = {}) {
      await page.evaluate(
        ([changes, layers]) => {
          const { viewer } = window as unknown as { viewer: PageViewer }
          const state = viewer.state.toJSON() as { layers: { name: string }[] }
          const changed = state.layers.map((layer) => ({ ...layer, ...layers[layer.name] }))
          if (Object.keys(layers).length === 0) return viewer.state.restoreState(changes)
          viewer.state.reset()
          viewer.state.restoreState({ ...state, ...changes, layers: changed })
        },
        [changes, layers] as const,
      )
      await settle(page)
    },
    panel: () =>
      page.evaluate(() => {
        const [panel] = [...(window as unknown as { viewer: PageViewer }).viewer.display.panels]
        const { logicalWidth: width, logicalHeight: height } = (panel as PagePanel).renderViewport
        return { width, height }
      }),
    colors: (plane) => page.evaluate(readColors, plane),
    [Symbol.asyncDispose]: () => page.close(),
  }
}

/** Twice ready, with a frame in between: the first frame after a change asks for what the second one draws. */
async function settle(page: Page): Promise<void> {
  for (let i = 0; i < 2; i++) {
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))))
    await page.waitForFunction(() => (window as unknown as { viewer: PageViewer }).viewer.isReady())
  }
}

/** Runs in the page. */
function readColors({ across, down, acrossVoxels, downVoxels }: Plane): (string | undefined)[] {
  const { viewer } = window as unknown as { viewer: PageViewer }
  const [panel] = [...viewer.display.panels]
  viewer.display.draw()
  const { canvas } = viewer.display
  const flat = document.createElement('canvas')
  flat.width = canvas.width
  flat.height = canvas.height
  const context = flat.getContext('2d') as CanvasRenderingContext2D
  context.drawImage(canvas, 0, 0)
  const pixels = context.getImageData(0, 0, flat.width, flat.height)
  const { canvasRelativeClippedLeft: left, canvasRelativeClippedTop: top, renderViewport } = panel as PagePanel
  const { logicalWidth: width, logicalHeight: height } = renderViewport
  const { names, scales } = viewer.coordinateSpace.value
  const finest = Math.min(...scales)
  const pixelsFrom = (axis: string, voxel: number): number => {
    const i = names.indexOf(axis)
    const voxels = voxel + 0.5 - (viewer.position.value[i] as number)
    return (voxels * (scales[i] as number)) / finest / viewer.crossSectionScale.value
  }
  return downVoxels.flatMap((row) =>
    acrossVoxels.map((column) => {
      // Seen from the side, Neuroglancer has z run to the left.
      const x = width / 2 + (across === 'z' ? -1 : 1) * pixelsFrom(across, column)
      const y = height / 2 + pixelsFrom(down, row)
      if (x < 0 || y < 0 || x >= width || y >= height) return undefined
      const at = 4 * ((top + Math.floor(y)) * flat.width + left + Math.floor(x))
      return [...pixels.data.subarray(at, at + 3)].map((value) => value.toString(16).padStart(2, '0')).join('')
    }),
  )
}
