import { setTimeout as wait } from 'node:timers/promises'
import { mapGridOf } from '../../core/board/cell-map.ts'
import type { DashboardView, OutputLayer, StatesLayer } from '../../core/board/summary.ts'
import { createBlockGrid } from '../../core/grid/block-grid.ts'
import { ResourceStack } from '../../core/resource-stack.ts'
import type { ChunkedArray } from '../../ports/chunked-array.ts'
import type { Resource, ResourceTree } from '../../ports/resource.ts'
import { describeVolume } from '../../runtime/volumes/volume-array.ts'
import { servedMemory } from '../../serving/served-memory.ts'
import { stateChunkShape, stateVolume } from '../../serving/state-volume.ts'
import { type ViewedDataset, viewDataset } from '../../serving/view-dataset.ts'
import { jsonResource } from '../../serving/virtual-zarr.ts'
import type { RunFollower } from '../run-folder/history/run-follower.ts'
import type { RunDocument } from '../run-folder/run-folder.ts'
import { absolutePath, type DescribedTask } from '../run-folder/run-place.ts'
import { openLevels, viewOf } from './viewer-server.ts'

/** Further volumes are not shown. */
const MAX_VOLUMES = 8
/** Written shares of an output at which its contrast is determined again. */
const SHARES = [0.02, 0.1, 0.3, 0.6, 1]

/** How long a busy browser may take before it requests the last chunks, and between requests. */
const FIRST_MS = 1500
const QUIET_MS = 500
const MOST_QUIET_MS = 4000

interface Volume {
  readonly path: string
  readonly arrays: readonly ChunkedArray[]
  readonly view: () => Promise<ViewedDataset>
  viewed: ViewedDataset
  readonly isInput: boolean
}

/**
 * The volumes of a run as the viewer shows them: the first input and the outputs, with the states of its blocks over them. They are opened
 * on request; those that do not exist yet are added later.
 */
export class DashboardVolumes implements AsyncDisposable {
  readonly #follower: RunFollower
  readonly #onError: (error: unknown) => void
  /** The run may write a chunk again, so no old one is kept. */
  readonly #memory = servedMemory({ keepMs: 0 })
  #document: RunDocument
  #volumes: Volume[] = []
  #outputs: OutputLayer[] = []
  #states: (StatesLayer & { readonly files: ResourceTree })[] = []
  #opened = new ResourceStack()
  #requestedAt = 0
  #viewing: Promise<DashboardView | undefined> | undefined

  constructor(follower: RunFollower, onError: (error: unknown) => void) {
    this.#follower = follower
    this.#document = follower.document
    this.#onError = onError
  }

  /** Changes if the view should be requested again: there are new outputs, or much more of one is written. */
  version(): number {
    const counts = this.#follower.picture.board.counts
    const passed = counts.map(({ completed, processing, total }) => {
      const hasStarted = completed + processing > 0 ? 1 : 0
      return hasStarted + SHARES.filter((share) => completed / total >= share).length
    })
    return passed.reduce((sum, count) => sum + count, 0)
  }

  /** Resolves once there has been no request for a while, or after a time limit; at once if there are no volumes. */
  async untilQuiet(): Promise<void> {
    if (this.#volumes.length === 0) return
    const startedAt = performance.now()
    for (let now = startedAt; now < startedAt + MOST_QUIET_MS; now = performance.now()) {
      if (this.#requestedAt > startedAt ? now - this.#requestedAt > QUIET_MS : now - startedAt > FIRST_MS) return
      await wait(QUIET_MS / 5)
    }
  }

  async open([first, second = '', ...rest]: readonly string[]): Promise<Resource | undefined> {
    this.#requestedAt = performance.now()
    if (first === 'view.json' && second === '') {
      this.#viewing ??= this.#buildView().finally(() => {
        this.#viewing = undefined
      })
      const view = await this.#viewing
      return jsonResource(view ?? null)
    }
    if (!/^\d{1,4}$/.test(second)) return undefined
    if (first === 'data') return this.#volumes[Number(second)]?.viewed.files.open(rest)
    return first === 'states' ? this.#states[Number(second)]?.files.open(rest) : undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened[Symbol.asyncDispose]()
  }

  async #buildView(): Promise<DashboardView | undefined> {
    const { document } = this.#follower
    if (document !== this.#document) await this.#reset(document)
    for (const [number, task] of document.tasks.entries()) {
      for (const path of number === 0 ? (task.reads ?? []).slice(0, 1) : []) await this.#add(path, task, undefined)
      for (const path of (task.writes ?? []).slice(0, 1)) await this.#add(path, task, number)
    }
    if (this.#outputs.length === 0) return undefined
    for (const volume of this.#volumes) if (!volume.isInput) volume.viewed = await volume.view()
    const viewed = this.#volumes.map(({ viewed }, i) => this.#withContrast(viewed, i))
    return {
      ...viewOf(viewed, { layout: 'xy' }),
      outputs: this.#outputs,
      states: this.#states.map(({ files: _, ...layer }) => layer),
    }
  }

  /** A start has replaced the run's tasks. */
  async #reset(document: RunDocument): Promise<void> {
    const before = this.#opened
    this.#document = document
    this.#volumes = []
    this.#outputs = []
    this.#states = []
    this.#opened = new ResourceStack()
    await before[Symbol.asyncDispose]()
  }

  /** Until an output is complete, it has the contrast of the input if they have the same dtype. */
  #withContrast(viewed: ViewedDataset, number: number): ViewedDataset {
    const input = this.#volumes.find(({ isInput }) => isInput)?.viewed.layer
    const { layer } = viewed
    const isComplete = this.#outputs.every((output) => {
      const count = this.#follower.picture.board.counts[output.task]
      return output.layer !== number || count === undefined || count.completed === count.total
    })
    if (isComplete || input === undefined || input.dtype !== layer.dtype || input.range === undefined) return viewed
    return layer.range === undefined ? viewed : { ...viewed, layer: { ...layer, range: input.range } }
  }

  /** @param number the task that writes the volume; undefined for an input */
  async #add(given: string, task: DescribedTask, number: number | undefined): Promise<void> {
    if (number !== undefined && this.#outputs.some((output) => output.task === number)) return
    const path = absolutePath(given, this.#follower.document.directory)
    let at = this.#volumes.findIndex(({ arrays }) => arrays.some((array) => array.path === path))
    try {
      if (at < 0) at = await this.#openVolume(path, given, number === undefined)
    } catch {
      // It does not exist yet, or can't be shown; the map is still shown.
      return
    }
    const arrays = this.#volumes[at]?.arrays ?? []
    const level = Math.max(
      0,
      arrays.findIndex((array) => array.path === path),
    )
    if (number === undefined || at < 0) return
    const { offset, voxelSize } = describeVolume(arrays[level] as ChunkedArray, task.unit)
    this.#outputs.push({ task: number, layer: at, level, offset, voxelSize })
    this.#addStates(task, number, this.#volumes[at]?.viewed as ViewedDataset)
  }

  async #openVolume(path: string, given: string, isInput: boolean): Promise<number> {
    if (this.#volumes.length >= MAX_VOLUMES) return -1
    const arrays: ChunkedArray[] = []
    const own = (array: ChunkedArray) => {
      arrays.push(array)
      return array
    }
    try {
      const levels = await openLevels(path, own)
      const view = () => viewDataset(given, levels, { onError: this.#onError, memory: this.#memory })
      this.#volumes.push({ path, arrays, view, viewed: await view(), isInput })
    } catch (error) {
      for (const array of arrays) await array[Symbol.asyncDispose]()
      throw error
    }
    for (const array of arrays) this.#opened.use(array)
    return this.#volumes.length - 1
  }

  #addStates({ id, grid: options, unit }: DescribedTask, task: number, { axes }: ViewedDataset): void {
    const { board } = this.#follower.picture
    const grid = createBlockGrid(mapGridOf(options).grid)
    const names = axes.filter((axis) => axis.unit === 'm').slice(-grid.shape.length)
    if (names.length !== grid.shape.length) return
    const axisNames = names.map(({ name }) => name)
    this.#states.push({
      task,
      name: `${id} blocks`,
      source: `states/${this.#states.length}/`,
      chunkShape: stateChunkShape(grid),
      files: stateVolume({ grid, unit, axisNames, codes: () => board.codes(task) ?? new Uint8Array() }),
    })
  }
}
