import type { Viewer } from 'neuroglancer/unstable/viewer.js'
import { fillStateChunk } from '../../../core/board/state-chunk.ts'
import type { DashboardView, DescribedBoardTask, OutputLayer } from '../../../core/board/summary.ts'
import { METRE_EXPONENT } from '../../../core/geometry/world-unit.ts'
import { type BlockGrid, createBlockGrid } from '../../../core/grid/block-grid.ts'
import { STATE_CODE } from '../../../core/scheduling/state-map.ts'
import { createViewer, setBackground } from '../../shared/neuroglancer-viewer.ts'
import type { Theme } from '../../shared/theme.ts'
import { PACE, WITH_CARD } from '../pace.ts'
import { CHANGED_CHUNKS_RPC, type ChangedChunks, fewBoxes, type VoxelBox } from './changed-chunks.ts'
import { drawAtMost } from './draw-at-most.ts'
import { type Panels, panelLayout, panelState, panelsOf } from './panel-state.ts'
import { statesShader } from './states-shader.ts'
import { VolumeTabs } from './volume-tabs.ts'

/** The parts of a Neuroglancer source that are used here. */
interface VolumeSource {
  readonly rpcId: number
  readonly parameters?: { readonly url?: string }
  readonly chunks?: ReadonlyMap<string, StateChunk>
}

interface StateChunk {
  readonly chunkGridPosition: Float32Array
  readonly data: Uint8Array | null
  readonly state: number
  freeGPUMemory(gl: WebGL2RenderingContext): void
  copyToGPU(gl: WebGL2RenderingContext): void
}

const GPU_MEMORY = 0
/** Of the three axes in space, the one across sections. */
const SLOWEST = 2
/** Neuroglancer takes chunks over in several steps after they have arrived. */
const TAKEN_OVER_MS = 100

interface Output extends OutputLayer {
  readonly grid: BlockGrid
  /** Blocks written since chunks were last fetched. */
  readonly written: Set<number>
  /** The last block that was written. */
  latest?: number
}

/** The volumes of a run in Neuroglancer: written blocks appear, with the states of all blocks over them. */
export class VolumePanel {
  readonly #viewer: Viewer
  readonly #container: HTMLElement
  readonly #tasks: readonly DescribedBoardTask[]
  readonly #codes: readonly Uint8Array[]
  readonly #outputs = new Map<number, Output>()
  readonly #base: string
  #view: DashboardView
  readonly #tabs = new VolumeTabs((layer) => this.#choose(layer, true))
  /** The image that is shown where there is no room for all. */
  #chosen: number | undefined
  #shown = ''
  #ranges = ''
  #isFollowing = true
  #isRunning = true
  /** Calls of `renew` whose chunks are being fetched. */
  #fetches = 0
  /** Whether `renew` was called while chunks were being fetched. */
  #isDue = false
  readonly #drawWaiting: () => void
  #followedAt = Number.NEGATIVE_INFINITY
  /** The section that following has gone to; undefined if none since the view was laid out or following began. */
  #followed: number | undefined
  #hasOverlay = true
  #theme: Theme

  constructor(
    container: HTMLElement,
    view: DashboardView,
    tasks: readonly DescribedBoardTask[],
    codes: readonly Uint8Array[],
    theme: Theme,
  ) {
    this.#container = container
    this.#view = view
    this.#tasks = tasks
    this.#codes = codes
    this.#base = new URL('.', location.href).href
    this.#viewer = createViewer(container, { isInAddress: false })
    this.#addOutputs(tasks)
    this.#theme = theme
    this.#restore()
    this.#onceValid(() => this.#lookAtWork())
    const { display, coordinateSpace } = this.#viewer
    // The position is then in other voxels.
    coordinateSpace.changed.add(() => {
      this.#followed = undefined
    })
    this.#drawWaiting = drawAtMost(
      display as Parameters<typeof drawAtMost>[0],
      () => (this.#isRunning ? PACE : WITH_CARD).draw,
    )
    setInterval(() => this.renew(), PACE.renew)
    new ResizeObserver(() => this.#arrange()).observe(container)
  }

  get viewer(): Viewer {
    return this.#viewer
  }

  /** The user has gone elsewhere than where blocks are running. */
  onLook = (): void => {}

  /** Blocks of a task are done. */
  written(task: number, start: number, end: number): void {
    const output = this.#outputs.get(task)
    if (output === undefined) return
    for (let index = start; index < end; index++) output.written.add(index)
  }

  /** There are new layers, or the contrast has changed. */
  update(view: DashboardView, tasks: readonly DescribedBoardTask[]): void {
    const isSame = JSON.stringify(layerKinds(view)) === JSON.stringify(layerKinds(this.#view))
    this.#view = view
    this.#addOutputs(tasks)
    if (!isSame) this.#restore()
    else this.#setRanges()
  }

  setOverlay(hasOverlay: boolean): void {
    this.#hasOverlay = hasOverlay
    for (const { name } of this.#view.states) this.#viewer.layerManager.getLayerByName(name)?.setVisible(hasOverlay)
  }

  /** At the end of the run, the last chunks are fetched immediately, since bellis may end soon. */
  setRunning(isRunning: boolean): void {
    this.#isRunning = isRunning
    if (!isRunning) this.renew(true)
  }

  setFollowing(isFollowing: boolean): void {
    this.#followed = undefined
    this.#isFollowing = isFollowing
  }

  setTheme(theme: Theme): void {
    this.#theme = theme
    setBackground(this.#viewer, theme)
    for (const { name } of this.#view.states) {
      const layer = this.#viewer.layerManager.getLayerByName(name)?.layer as
        | { readonly fragmentMain?: { value: string } }
        | undefined
      if (layer?.fragmentMain !== undefined) layer.fragmentMain.value = statesShader()
    }
  }

  get #panels(): Panels {
    return panelsOf(this.#view, this.#container.getBoundingClientRect(), this.#chosen)
  }

  /** @param isUser whether the user has chosen it, who then does not want to be taken to another one */
  #choose(layer: number, isUser: boolean): void {
    if (isUser) this.onLook()
    this.#chosen = layer
    this.#arrange()
  }

  /** Shows the panels for which there is room. */
  #arrange(): void {
    const panels = this.#panels
    const key = JSON.stringify(panels)
    if (key === this.#shown) return
    const before = (JSON.parse(this.#shown) as Panels).shown.length
    this.#shown = key
    this.#tabs.show(this.#view, panels.tabs, panels.shown[0])
    const layout = panelLayout(this.#view, panels)
    // Neuroglancer forgets layers that no panel shows.
    if (
      [...this.#view.layers, ...this.#view.states].every(
        ({ name }) => this.#viewer.layerManager.getLayerByName(name) !== undefined,
      )
    ) {
      this.#viewer.layout.restoreState(layout)
    } else this.#restoreLayers()
    if (panels.shown.length === before) return
    const area = this.#container.getBoundingClientRect()
    const state = panelState(this.#view, this.#base, area, panels, true) as { readonly crossSectionScale: number }
    this.#viewer.crossSectionScale.value = state.crossSectionScale
  }

  /** Adds the layers that are missing, where the user is looking. */
  #restoreLayers(): void {
    const position = Float32Array.from(this.#viewer.position.value)
    const scale = this.#viewer.crossSectionScale.value
    this.#restore()
    this.#viewer.position.value = position
    this.#viewer.crossSectionScale.value = scale
  }

  #addOutputs(tasks: readonly DescribedBoardTask[]): void {
    for (const output of this.#view.outputs) {
      const task = tasks[output.task]
      if (task === undefined || this.#outputs.has(output.task)) continue
      this.#outputs.set(output.task, { ...output, grid: createBlockGrid(task.map.grid), written: new Set() })
    }
  }

  #restore(): void {
    const area = this.#container.getBoundingClientRect()
    this.#viewer.state.reset()
    this.#followed = undefined
    const panels = this.#panels
    this.#shown = JSON.stringify(panels)
    this.#tabs.show(this.#view, panels.tabs, panels.shown[0])
    this.#viewer.state.restoreState(panelState(this.#view, this.#base, area, panels, this.#hasOverlay))
    this.setTheme(this.#theme)
    this.#ranges = JSON.stringify(this.#view.layers.map(({ range }) => range))
  }

  /** Sets the contrast of images, unless the user has changed it. */
  #setRanges(): void {
    const ranges = JSON.stringify(this.#view.layers.map(({ range }) => range))
    if (ranges === this.#ranges) return
    const before = JSON.parse(this.#ranges) as (readonly [number, number] | null)[]
    this.#ranges = ranges
    for (const [i, { name, range }] of this.#view.layers.entries()) {
      const layer = this.#viewer.layerManager.getLayerByName(name)?.layer as
        | { toJSON(): Record<string, unknown>; restoreState(state: unknown): void }
        | undefined
      if (layer === undefined || range === undefined) continue
      const controls = layer.toJSON().shaderControls as { normalized?: { range?: unknown } } | undefined
      if (JSON.stringify(controls?.normalized?.range) !== JSON.stringify(before[i] ?? undefined)) continue
      const target = (layer as unknown as { shaderControlState?: { restoreState(state: unknown): void } })
        .shaderControlState
      target?.restoreState({ normalized: { range } })
    }
  }

  /**
   * Fetches the chunks written since the last call, and then draws the states: a block is not shown as done before its voxels can be seen.
   * @param isLast whether there will be no further call
   */
  renew(isLast = false): void {
    if (document.hidden) return
    this.#isDue = this.#fetches > 0 && !isLast
    if (this.#isDue) return
    const fetches: Promise<unknown>[] = []
    for (const output of this.#outputs.values()) {
      if (output.written.size === 0) continue
      const indices = [...output.written]
      output.written.clear()
      output.latest = indices.at(-1) as number
      const boxes = fewBoxes(indices.map((index) => boxOf(output, index)))
      const { rpc } = this.#viewer.chunkManager
      for (const { rpcId: source } of this.#sources(`/data/${output.layer}/${output.level}/`)) {
        if (rpc != null) fetches.push(rpc.promiseInvoke(CHANGED_CHUNKS_RPC, { source, boxes } satisfies ChangedChunks))
      }
    }
    this.#followLatest()
    if (fetches.length > 0) void this.#drawAfter(fetches)
    else {
      this.#drawStates()
      this.#drawWaiting()
    }
  }

  async #drawAfter(fetches: readonly Promise<unknown>[]): Promise<void> {
    this.#fetches += 1
    await Promise.allSettled(fetches)
    await new Promise((resolve) => setTimeout(resolve, TAKEN_OVER_MS))
    this.#fetches -= 1
    this.#drawStates()
    this.#drawWaiting()
    if (this.#isDue) this.renew()
  }

  /** Goes to a block, so close that it takes about a third of the panel. */
  flyTo(task: number, index: number): void {
    const output = this.#outputs.get(task)
    const described = this.#tasks[task]
    if (output === undefined || described === undefined) return
    const { writeRoi } = createBlockGrid(described.grid).block(index)
    const metre = 10 ** METRE_EXPONENT[described.unit]
    const { position, coordinateSpace, crossSectionScale } = this.#viewer
    const { names, scales } = coordinateSpace.value
    const axes = this.#view.axes.filter(({ unit }) => unit === 'm').slice(-writeRoi.shape.length)
    const value = Float32Array.from(position.value)
    let widest = 0
    for (const [axis, { name, scale }] of axes.entries()) {
      const at = names.indexOf(name)
      if (at < 0) continue
      const [offset, shape] = [writeRoi.offset[axis] as number, writeRoi.shape[axis] as number]
      value[at] = Math.floor(((offset + shape / 2) * metre) / scale) + 0.5
      if (axis >= axes.length - 2) widest = Math.max(widest, (shape * metre) / Math.min(...scales))
    }
    this.#choose(output.layer, false)
    position.value = value
    const { width, height } = this.#container.getBoundingClientRect()
    crossSectionScale.value = (3 * widest) / Math.max(1, Math.min(width, height))
  }

  /** Neuroglancer takes no position before it knows the axes of a layer. */
  #onceValid(action: () => void): void {
    const { coordinateSpace } = this.#viewer
    if (coordinateSpace.value.valid) {
      action()
      return
    }
    const forget = coordinateSpace.changed.add(() => {
      if (!coordinateSpace.value.valid) return
      forget()
      action()
    })
  }

  /**
   * Goes to a running block of the first unfinished task, or to the last of its blocks that has ended: nothing may have been written yet to
   * the section in the middle.
   */
  #lookAtWork(): void {
    const output = this.#firstUnfinished
    const codes = output === undefined ? undefined : this.#codes[output.task]
    if (output === undefined || codes === undefined) return
    const running = codes.indexOf(STATE_CODE.processing)
    const index = running >= 0 ? running : codes.findLastIndex(hasEnded)
    if (index >= 0) this.#follow(output, index)
  }

  get #firstUnfinished(): Output | undefined {
    const isOpen = ({ task }: Output) => (this.#codes[task] ?? []).some((code) => code <= STATE_CODE.processing)
    return [...this.#outputs.values()].find(isOpen)
  }

  /** Goes to the section with the latest block of the first task that is not finished, unless the user has gone to another one. */
  #followLatest(): void {
    if (!this.#isFollowing) return
    if (this.#followed !== undefined && this.#slowest?.at !== this.#followed) {
      this.onLook()
      return
    }
    if (performance.now() - this.#followedAt < PACE.follow) return
    const output = this.#firstUnfinished
    if (output?.latest !== undefined) this.#follow(output, output.latest)
  }

  #follow(output: Output, index: number): void {
    if (!this.#isFollowing || output.offset.length < 3) return
    this.#choose(output.layer, false)
    const slowest = this.#slowest
    if (slowest === undefined) return
    const { lower, upper } = boxOf(output, index)
    const [low, high] = [lower[2] as number, upper[2] as number]
    // Boxes are in voxels of the array; the view counts voxels from the origin of the world.
    const axis = this.#view.axes.find(({ name }) => name === slowest.name)
    const start = axis === undefined ? 0 : Math.round(axis.lower)
    const middle = start + Math.floor((low + high) / 2) + 0.5
    this.#followed = middle
    if (slowest.at === middle) return
    this.#followedAt = performance.now()
    const { position } = this.#viewer
    const value = Float32Array.from(position.value)
    value[SLOWEST] = middle
    position.value = value
  }

  /** The axis across the sections, and where the view is along it. */
  get #slowest(): { readonly name: string; readonly at: number } | undefined {
    const { position, coordinateSpace } = this.#viewer
    const name = coordinateSpace.value.names[SLOWEST]
    const at = position.value[SLOWEST]
    return name === undefined || at === undefined ? undefined : { name, at }
  }

  /** Draws the states over the volumes. Blocks whose chunks are still to be fetched again remain as running. */
  #drawStates(): void {
    let isChanged = false
    for (const states of this.#view.states) {
      const output = this.#outputs.get(states.task)
      const codes = this.#codes[states.task]
      if (output === undefined || codes === undefined) continue
      const actual = [...output.written].map((index) => [index, codes[index] as number] as const)
      for (const [index] of actual) codes[index] = STATE_CODE.processing
      if (this.#fillStates(states, codes, output.grid)) isChanged = true
      for (const [index, code] of actual) codes[index] = code
    }
    if (isChanged) this.#viewer.display.scheduleRedraw()
  }

  /** Copies states into the chunks that Neuroglancer has fetched. @returns whether any has changed */
  #fillStates(
    { source, chunkShape }: DashboardView['states'][number],
    codes: Uint8Array,
    { shape }: BlockGrid,
  ): boolean {
    let isChanged = false
    for (const { chunks } of this.#sources(`/${source}`)) {
      for (const chunk of chunks?.values() ?? []) {
        const at = [...chunk.chunkGridPosition].reverse()
        if (chunk.data === null || !fillStateChunk(chunk.data, at, codes, shape, chunkShape)) continue
        isChanged = true
        if (chunk.state !== GPU_MEMORY) continue
        const { gl } = this.#viewer.display
        chunk.freeGPUMemory(gl)
        chunk.copyToGPU(gl)
      }
    }
    return isChanged
  }

  /** The sources whose address contains `part`. */
  #sources(part: string): VolumeSource[] {
    const { objects } = this.#viewer.chunkManager.rpc as unknown as { objects: Map<number, VolumeSource> }
    return [...objects.values()].filter(({ parameters }) => {
      const url = parameters?.url
      return typeof url === 'string' && url.includes(part)
    })
  }
}

const layerKinds = ({ layers, states }: DashboardView) => [
  layers.map(({ name, kind }) => [name, kind]),
  states.map(({ name }) => name),
]

/** The box that a block writes, in voxels of the array, fastest axis first. */
function boxOf({ grid, offset, voxelSize }: Output, index: number): VoxelBox {
  const { writeRoi } = grid.block(index)
  const lower = writeRoi.offset.map((at, axis) => Math.floor((at - (offset[axis] ?? 0)) / (voxelSize[axis] ?? 1)))
  const upper = lower.map((at, axis) => at + Math.ceil((writeRoi.shape[axis] as number) / (voxelSize[axis] ?? 1)))
  return { lower: lower.reverse(), upper: upper.reverse() }
}

/** Whether a block has ended: those outside a mask, and those that are left out, have never started. */
const hasEnded = (code: number): boolean =>
  code > STATE_CODE.processing && code !== STATE_CODE.masked && code !== STATE_CODE.leftOut
