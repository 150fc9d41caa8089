import type { Browser, Page } from 'playwright-core'
import type { View } from '../../../src/core/view/view.ts'

/** The page, opened and drawn in a browser. */
export interface OpenPage extends AsyncDisposable {
  readonly page: Page
  readonly view: View
  /** What the browser reported: scripts that failed, and violations of the content policy. */
  readonly complaints: readonly string[]
  /** Changes the state, by field and by layer, and waits until everything is drawn. */
  restate(changes: Record<string, unknown>, layers?: Record<string, Record<string, unknown>>): Promise<void>
  /** The size of the first panel, in pixels. */
  panel(): Promise<{ readonly width: number; readonly height: number }>
  /** The colour at the centre of each voxel of a plane, as `rrggbb`; undefined for voxels outside the panel. */
  colors(plane: Plane): Promise<(string | undefined)[]>
  /** What the page shows for the plane's first voxel when the mouse is over it, in the order of the layers. */
  valuesUnderMouse(plane: Plane): Promise<string[]>
}

/** Voxels of a section, by their indices in the viewer's space. */
export interface Plane {
  /** The axis that points to the right, and the one that points down. */
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

// The part of Neuroglancer's objects on the page that is used here.
interface PageViewer {
  isReady(): boolean
  chunkQueueManager: { getStatistics(): Promise<Map<unknown, Float64Array>> }
  display: { draw(): void; canvas: HTMLCanvasElement; panels: ReadonlySet<PagePanel> }
  state: { toJSON(): Record<string, unknown>; reset(): void; restoreState(state: unknown): void }
  position: { value: Float32Array }
  coordinateSpace: { value: { names: string[]; scales: Float64Array } }
  crossSectionScale: { value: number }
}

export type PageOptions = Parameters<Browser['newPage']>[0] & {
  /** Whether some chunks can't be read; Neuroglancer is then never ready. @default false */
  readonly hasHoles?: boolean
}

export async function openPage(
  browser: Browser,
  address: string,
  { hasHoles = false, ...options }: PageOptions = {},
): Promise<OpenPage> {
  const page = await browser.newPage({ viewport: { width: 720, height: 480 }, ...options })
  const settled = () => settle(page, hasHoles)
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => {
    // In Zarr, a missing file means "all fill value", or "a group, not an array".
    if (message.type() === 'error' && !message.text().includes('404')) complaints.push(message.text())
  })
  await page.goto(address)
  await page.waitForFunction(() => document.documentElement.dataset.ready === 'true')
  const view = (await (await page.request.get(new URL('view.json', address).href)).json()) as View
  await settled()
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
      await settled()
    },
    panel: () =>
      page.evaluate(() => {
        const [panel] = [...(window as unknown as { viewer: PageViewer }).viewer.display.panels]
        const { logicalWidth: width, logicalHeight: height } = (panel as PagePanel).renderViewport
        return { width, height }
      }),
    async colors(plane) {
      for (;;) {
        const points = await page.evaluate(locate, plane)
        const colors = await page.evaluate(readColors, { points, hasHoles })
        if (colors !== undefined) return colors
        await settled()
      }
    },
    async valuesUnderMouse(plane) {
      const [point] = await page.evaluate(locate, plane)
      const canvas = await page.locator('#neuroglancer-container canvas').first().boundingBox()
      if (point === undefined || canvas === null) throw new Error('The voxel is not on the screen.')
      await page.mouse.move(canvas.x + point.x, canvas.y + point.y)
      await settled()
      return page
        .locator('.neuroglancer-layer-item')
        .evaluateAll((items) =>
          items.map((item) => item.querySelector('.neuroglancer-layer-item-value')?.textContent?.trim() ?? ''),
        )
    },
    [Symbol.asyncDispose]: () => page.close(),
  }
}

/** Waits until the page is ready twice, with a frame in between: the first frame after a change requests the chunks that the second one draws. */
async function settle(page: Page, hasHoles: boolean): Promise<void> {
  for (let i = 0; i < 2; i++) {
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))))
    await page.waitForFunction(hasHoles ? isLoaded : isReady)
  }
}

/**
 * Whether panels are laid out and all their chunks can be drawn. Neuroglancer's own answer is also yes while a new layout has no panels.
 * Runs in the page.
 */
function isReady(): boolean {
  const { viewer } = window as unknown as { viewer: PageViewer }
  const panels = [...viewer.display.panels]
  return panels.some(({ renderViewport }) => renderViewport.logicalWidth > 0) && viewer.isReady()
}

/** Whether some chunks are on the screen and no others are pending. Runs in the page. */
async function isLoaded(): Promise<boolean> {
  const { viewer } = window as unknown as { viewer: PageViewer }
  const sources = [...(await viewer.chunkQueueManager.getStatistics()).values()]
  // Statistics of the visible chunks: three numbers for each of 8 states and 3 priorities.
  const inState = (state: number) => sources.reduce((sum, counts) => sum + (counts[state * 9] as number), 0)
  return inState(0) > 0 && [1, 2, 3, 4, 5].every((state) => inState(state) === 0)
}

interface Point {
  readonly x: number
  readonly y: number
}

/** The position of the centre of each voxel on the canvas; undefined outside the first panel. Runs in the page. */
export function locate({ across, down, acrossVoxels, downVoxels }: Plane): (Point | undefined)[] {
  const { viewer } = window as unknown as { viewer: PageViewer }
  const [panel] = [...viewer.display.panels]
  viewer.display.draw()
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
      // In the side view of Neuroglancer, z points to the left.
      const x = width / 2 + (across === 'z' ? -1 : 1) * pixelsFrom(across, column)
      const y = height / 2 + pixelsFrom(down, row)
      return x < 0 || y < 0 || x >= width || y >= height ? undefined : { x: left + x, y: top + y }
    }),
  )
}

/**
 * The colours on the screen; undefined while chunks are missing. One call checks and reads: between two calls, the position or the layout
 * could change and the picture lose chunks. Runs in the page.
 */
export function readColors({
  points,
  hasHoles,
}: {
  readonly points: readonly (Point | undefined)[]
  readonly hasHoles: boolean
}): (string | undefined)[] | undefined {
  const { viewer } = window as unknown as { viewer: PageViewer }
  const { display } = viewer
  // The first call updates the layout, the second draws the chunks that the check has copied to graphics memory.
  display.draw()
  if (!hasHoles && !(display.panels.size > 0 && viewer.isReady())) return undefined
  display.draw()
  const flat = document.createElement('canvas')
  flat.width = display.canvas.width
  flat.height = display.canvas.height
  const context = flat.getContext('2d') as CanvasRenderingContext2D
  context.drawImage(display.canvas, 0, 0)
  const pixels = context.getImageData(0, 0, flat.width, flat.height)
  return points.map((point) => {
    if (point === undefined) return undefined
    const at = 4 * (Math.floor(point.y) * flat.width + Math.floor(point.x))
    return [...pixels.data.subarray(at, at + 3)].map((value) => value.toString(16).padStart(2, '0')).join('')
  })
}
