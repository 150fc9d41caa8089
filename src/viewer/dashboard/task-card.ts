import { cellAt } from '../../core/board/cell-map.ts'
import type { DescribedBoardTask, TaskSummary } from '../../core/board/summary.ts'
import { createBlockGrid } from '../../core/grid/block-grid.ts'
import { showCount, showDuration } from '../../core/text/numbers.ts'
import { make, setText } from '../shared/elements.ts'
import { BlockMap } from './blocks/block-map.ts'
import type { MapControls } from './blocks/map-controls.ts'
import { axisNames, type Plane, planesOf } from './blocks/planes.ts'
import { SliceStrip } from './blocks/slice-strip.ts'
import { STATE_ORDER } from './blocks/state-colors.ts'
import { plural, showMs, showNumber, showShare } from './text.ts'

export interface TaskCardOptions {
  readonly task: DescribedBoardTask
  readonly number: number
  /** How many tasks the run has. */
  readonly count: number
  readonly codes: Uint8Array
  readonly controls: Pick<MapControls, 'isFollowing' | 'stopFollowing'>
  /** The user asks for the details of a block that satisfies a condition. */
  onOpen(isWanted: (index: number) => boolean): void
  /** The user points at a block, or at none. */
  onPoint(number: number, index: number | undefined, x: number, y: number): void
}

/** Shortest time after which the section follows the running blocks to another slice. */
const FOLLOW_MS = 1500
/** A map of at most this many blocks along each axis has room beside the counts. */
const SMALL = 24
/** If there are more tasks than this, all maps are beside the counts. */
const FEW_TASKS = 2

/** One task: its bar, its counts, and the map of its blocks. */
export class TaskCard {
  readonly element: HTMLElement
  readonly map: BlockMap
  readonly #cellOf: (index: number) => number
  readonly #shape: readonly number[]
  readonly #controls: TaskCardOptions['controls']
  readonly #hasOthers: boolean
  readonly #bar = make('div', { class: 'bar' })
  readonly #share = make('span', { class: 'share' })
  readonly #facts = make('p', { class: 'facts' })
  readonly #error = make('p', { class: 'error', hidden: true })
  readonly #strip: SliceStrip | undefined
  readonly #slider = make('input', { type: 'range', min: 0, step: 1, 'aria-label': 'Slice' })
  readonly #place = make('output', {})
  /** The slider of the axis that the map cuts. */
  readonly #cutter = make('div', { class: 'cut' })
  /** Sliders of the axes before the last three. */
  readonly #further: { readonly input: HTMLInputElement; readonly place: HTMLOutputElement }[] = []
  #axis = 0
  #followedAt = Number.NEGATIVE_INFINITY
  /** The slice with the most running blocks, or -1. */
  #busiest = -1

  constructor({ task, number, count, codes, controls, onPoint, onOpen }: TaskCardOptions) {
    const grid = createBlockGrid(task.map.grid)
    this.#cellOf = (index) => cellAt(index, createBlockGrid(task.grid).shape, task.map.cell)
    this.#shape = grid.shape
    this.#controls = controls
    const rank = grid.shape.length
    this.#hasOthers = count > 1
    const heading = make('h2', count === 1 ? {} : { style: `--key: var(--task-${number % 6})`, class: 'key' }, task.id)
    const after = task.after.length === 0 ? '' : `after ${task.after.join(', ')}`
    const text = make(
      'div',
      { class: 'text' },
      make('header', {}, heading, make('span', { class: 'after', title: after }, after), this.#share),
      this.#bar,
      this.#facts,
      this.#error,
    )
    for (const name of STATE_ORDER) this.#bar.append(make('i', { class: name }))
    const blocks = task.map.cell.some((count) => count > 1) ? `${task.map.cell.join(' × ')} blocks` : ''
    if (blocks !== '') text.append(make('p', { class: 'cells' }, `A square of the map is ${blocks}.`))
    const map = new BlockMap({
      shape: grid.shape,
      blockShape: grid.writeRoi.shape,
      codes,
      label: `Blocks of ${task.id}; the arrow keys go from ${blocks === '' ? 'block to block' : 'square to square'}`,
      onPoint: (index, x, y) => onPoint(number, index, x, y),
      onOpen: (cell) => onOpen((index) => this.#cellOf(index) === cell),
    })
    this.map = map
    if (rank >= 3) {
      this.#strip = new SliceStrip(codes, grid.shape)
      text.append(this.#addSlider(this.#strip))
      if (this.#shape.slice(0, -3).some((length) => length > 1)) text.append(this.#furtherAxes(rank - 3))
      this.#setPlane(planesOf(rank)[0] as Plane)
    }
    const isSmall = count > FEW_TASKS || Math.max(...grid.shape.slice(-3)) <= SMALL
    this.element = make(
      'article',
      { class: isSmall ? 'task beside' : 'task', 'aria-label': `Task ${task.id}` },
      text,
      make('div', { class: 'map' }, map.canvas),
    )
  }

  /** To be called once the element is in the page. */
  placed(): void {
    this.map.resize()
    // The map takes the room that it has, however the window changes.
    new ResizeObserver(() => this.map.resize()).observe(this.map.canvas.parentElement ?? this.map.canvas)
    this.#drawStrip()
  }

  /** The state of some blocks has changed; it is drawn with the next update. */
  changed(start: number, end: number): void {
    this.map.changed(start, end)
    this.#strip?.changed()
  }

  recolor(): void {
    this.map.recolor()
    this.#drawStrip()
  }

  /** Shows sections along another plane, if the grid has three axes or more. */
  turn(name: string): void {
    const plane = planesOf(this.#shape.length).find((each) => each.name === name)
    if (plane !== undefined && this.#strip !== undefined) this.#setPlane(plane)
  }

  /** Marks a block in its section. */
  mark(index: number): void {
    this.#controls.stopFollowing()
    this.map.pointAt(this.#cellOf(index))
    this.#showPlace()
  }

  /** Goes to a block in its section. */
  pointAt(index: number): void {
    this.mark(index)
    this.element.scrollIntoView({ block: 'nearest' })
    this.map.canvas.focus({ preventScroll: true })
    this.mark(index)
  }

  update(summary: TaskSummary): void {
    this.#drawStrip()
    this.map.update()
    const { total, completed, skipped, processing, failed, orphaned, pending, ready, rate, meanMs, error } = summary
    const { masked = 0, leftOut = 0 } = summary
    const widths = { ...summary, completed: completed - skipped, skipped: skipped - masked, masked, leftOut }
    for (const [i, name] of STATE_ORDER.entries()) {
      const part = this.#bar.children[i] as HTMLElement
      part.style.flexGrow = String(widths[name] / Math.max(1, total))
    }
    this.#bar.title = STATE_ORDER.map((name) => `${name} ${showNumber(widths[name])}`).join(', ')
    setText(this.#share, showShare(completed, total))
    const left = pending + ready + processing
    const parts = [
      `${showNumber(completed)} of ${plural(total, 'block')}`,
      ...(skipped > masked ? [`${showNumber(skipped - masked)} done before`] : []),
      ...(masked > 0 ? [`${showNumber(masked)} outside the mask`] : []),
      ...(leftOut > 0 ? [`${showNumber(leftOut)} left out`] : []),
      ...(processing > 0 ? [`${showNumber(processing)} running`] : []),
      ...(failed > 0 ? [`${showNumber(failed)} failed`] : []),
      ...(orphaned > 0 ? [`${showNumber(orphaned)} orphaned`] : []),
      ...(rate > 0 && left > 0 ? [`${showCount(rate)}/s`] : []),
      ...(meanMs === undefined ? [] : [`${showMs(meanMs)} each`]),
      // Of a single task, the head of the page says how long the run takes.
      ...(rate > 0 && left > 0 && this.#hasOthers ? [`${showDuration(left / rate, 0)} left`] : []),
    ]
    // A dot never begins a line.
    setText(this.#facts, parts.join('\u00a0· '))
    this.#error.hidden = error === undefined
    setText(this.#error, error ?? '')
    this.element.dataset.state =
      failed + orphaned > 0 ? 'failed' : completed === total ? 'done' : processing > 0 ? 'working' : 'waiting'
  }

  #addSlider({ canvas }: SliceStrip): HTMLElement {
    this.#slider.addEventListener('input', () => {
      this.#controls.stopFollowing()
      this.#cutAt(Number(this.#slider.value))
    })
    this.#cutter.append(make('div', { class: 'slider' }, canvas, this.#slider), this.#place)
    return this.#cutter
  }

  #furtherAxes(count: number): HTMLElement {
    const labels = axisNames(this.#shape.length)
      .slice(0, count)
      .map((name, axis) => {
        const max = (this.#shape[axis] as number) - 1
        const input = make('input', { type: 'range', min: 0, max, step: 1, 'aria-label': `Slice along ${name}` })
        const place = make('output', {})
        input.addEventListener('input', () => {
          this.#controls.stopFollowing()
          this.#cut((at, each) => (each === axis ? Number(input.value) : at))
        })
        this.#further.push({ input, place })
        return make('label', { class: 'axis', hidden: max === 0 }, input, place)
      })
    return make('div', { class: 'cut further' }, ...labels)
  }

  #setPlane(plane: Plane): void {
    const { map } = this
    const rank = this.#shape.length
    this.#axis = [rank - 3, rank - 2, rank - 1].find((axis) => axis !== plane.down && axis !== plane.across) as number
    map.cut(plane, map.at)
    const slices = this.#shape[this.#axis] as number
    this.#slider.max = String(slices - 1)
    this.#cutter.hidden = slices === 1
    if (this.#strip !== undefined) this.#strip.axis = this.#axis
    this.#showPlace()
    this.#drawStrip()
  }

  #cutAt(slice: number): void {
    this.#cut((at, axis) => (axis === this.#axis ? slice : at))
  }

  #cut(place: (at: number, axis: number) => number): void {
    const { map } = this
    map.cut(map.plane, map.at.map(place))
    this.#showPlace()
  }

  #showPlace(): void {
    const slice = this.map.at[this.#axis] ?? 0
    this.#slider.value = String(slice)
    const names = axisNames(this.#shape.length)
    setText(this.#place, `${names[this.#axis]} ${slice + 1} / ${this.#shape[this.#axis]}`)
    for (const [axis, { input, place }] of this.#further.entries()) {
      const at = this.map.at[axis] ?? 0
      input.value = String(at)
      setText(place, `${names[axis]} ${at + 1} / ${this.#shape[axis]}`)
    }
  }

  #drawStrip(): void {
    this.#busiest = this.#strip?.draw() ?? -1
    this.#followWork()
  }

  #followWork(): void {
    const busiest = this.#busiest
    const now = performance.now()
    if (!this.#controls.isFollowing || busiest < 0 || now - this.#followedAt < FOLLOW_MS) return
    this.#followedAt = now
    const work = this.#further.length === 0 ? undefined : this.#strip?.workIn(busiest)
    const at = work === undefined ? [] : this.map.coordinates(work)
    // The section through the running blocks: along the axis of the main slider, and along the further axes.
    const wanted = (now: number, axis: number) =>
      axis === this.#axis ? busiest : axis < this.#further.length ? (at[axis] ?? now) : now
    if (this.map.at.some((now, axis) => wanted(now, axis) !== now)) this.#cut(wanted)
  }
}
