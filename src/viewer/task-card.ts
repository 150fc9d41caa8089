import type { DescribedBoardTask, TaskSummary } from '../core/board/summary.ts'
import { createBlockGrid } from '../core/grid/block-grid.ts'
import { axisNames, BlockMap, type Plane, planesOf } from './block-map.ts'
import { make, setText } from './elements.ts'
import { SliceStrip } from './slice-strip.ts'
import { STATE_ORDER } from './state-colors.ts'
import { plural, showDuration, showMs, showNumber, showRate, showShare } from './text.ts'

export interface TaskCardOptions {
  readonly task: DescribedBoardTask
  readonly number: number
  readonly codes: Uint8Array
  /** Somebody points at a block of it. */
  onPoint(number: number, index: number | undefined, x: number, y: number): void
}

/** How often the section follows the work to another slice, at most. */
const FOLLOW_MS = 1500

/** One task: its bar, its counts, and the map of its blocks. */
export class TaskCard {
  readonly element: HTMLElement
  readonly map: BlockMap | undefined
  readonly #shape: readonly number[]
  readonly #bar = make('div', { class: 'bar' })
  readonly #share = make('span', { class: 'share' })
  readonly #facts = make('p', { class: 'facts' })
  readonly #error = make('p', { class: 'error', hidden: true })
  readonly #strip: SliceStrip | undefined
  readonly #slider: HTMLInputElement | undefined
  readonly #place = make('output', {})
  readonly #follow = make('input', { type: 'checkbox', checked: true })
  #axis = 0
  #followedAt = 0
  #isStripDue = false

  constructor({ task, number, codes, onPoint }: TaskCardOptions) {
    const grid = createBlockGrid(task.grid)
    this.#shape = grid.shape
    const rank = grid.shape.length
    const heading = make('h2', {}, task.id)
    const after = task.after.length === 0 ? '' : `after ${task.after.join(', ')}`
    this.element = make(
      'article',
      { class: 'task', 'aria-label': `Task ${task.id}` },
      make('header', {}, heading, make('span', { class: 'after' }, after), this.#share),
      this.#bar,
      this.#facts,
      this.#error,
    )
    for (const name of STATE_ORDER) this.#bar.append(make('i', { class: name }))
    if (!task.hasMap) {
      this.element.append(
        make('p', { class: 'empty' }, `${showNumber(task.blocks)} blocks are too many for a map: they are counted.`),
      )
      return
    }
    const map = new BlockMap({
      shape: grid.shape,
      blockShape: grid.writeRoi.shape,
      codes,
      label: `Blocks of ${task.id}; the arrow keys go from block to block`,
      onPoint: (index, x, y) => onPoint(number, index, x, y),
    })
    this.map = map
    const planes = planesOf(rank)
    if (rank >= 3) {
      this.#strip = new SliceStrip(codes, grid.shape)
      this.#slider = make('input', { type: 'range', min: 0, step: 1, 'aria-label': 'Slice' })
      this.#slider.addEventListener('input', () => {
        this.#follow.checked = false
        this.#cutAt(Number(this.#slider?.value))
      })
      this.element.append(this.#controls(planes, number))
      this.#setPlane(planes[0] as Plane)
    }
    this.element.append(make('div', { class: 'map' }, map.canvas))
  }

  /** Once it is in the page. */
  placed(): void {
    this.map?.resize()
    this.#drawStrip()
  }

  changed(begin: number, end: number): void {
    this.map?.changed(begin, end)
    this.#strip?.changed()
    if (this.#isStripDue) return
    this.#isStripDue = true
    requestAnimationFrame(() => {
      this.#isStripDue = false
      this.#drawStrip()
    })
  }

  recolor(): void {
    this.map?.recolor()
    this.#drawStrip()
  }

  /** Shows a block, wherever it is. */
  pointAt(index: number): void {
    if (this.map === undefined) return
    this.#follow.checked = false
    this.map.pointAt(index)
    this.#tellPlace()
    this.element.scrollIntoView({ block: 'nearest' })
    this.map.canvas.focus()
    this.map.pointAt(index)
  }

  update(summary: TaskSummary): void {
    const { total, completed, skipped, processing, failed, orphaned, pending, ready, rate, meanMs, error } = summary
    const widths = { ...summary, completed: completed - skipped }
    for (const [i, name] of STATE_ORDER.entries()) {
      const part = this.#bar.children[i] as HTMLElement
      part.style.flexGrow = String(widths[name] / Math.max(1, total))
    }
    this.#bar.title = STATE_ORDER.map((name) => `${name} ${showNumber(widths[name])}`).join(', ')
    setText(this.#share, showShare(completed, total))
    const left = pending + ready + processing
    const parts = [
      `${showNumber(completed)} of ${plural(total, 'block')}`,
      ...(skipped > 0 ? [`${showNumber(skipped)} done before`] : []),
      ...(processing > 0 ? [`${showNumber(processing)} at work`] : []),
      ...(failed > 0 ? [`${showNumber(failed)} failed`] : []),
      ...(orphaned > 0 ? [`${showNumber(orphaned)} orphaned`] : []),
      ...(rate > 0 && left > 0 ? [`${showRate(rate)}/s`] : []),
      ...(meanMs === undefined ? [] : [`${showMs(meanMs)} each`]),
      ...(rate > 0 && left > 0 && pending === 0 ? [`${showDuration(left / rate)} left`] : []),
    ]
    setText(this.#facts, parts.join(' · '))
    this.#error.hidden = error === undefined
    setText(this.#error, error ?? '')
    this.element.dataset.state =
      failed + orphaned > 0 ? 'failed' : completed === total ? 'done' : processing > 0 ? 'working' : 'waiting'
  }

  #controls(planes: readonly Plane[], number: number): HTMLElement {
    const choices = planes.map((plane, i) => {
      const input = make('input', { type: 'radio', name: `plane-${number}`, checked: i === 0 })
      input.addEventListener('change', () => this.#setPlane(plane))
      return make('label', {}, input, make('span', {}, plane.name))
    })
    const slider = this.#slider as HTMLInputElement
    return make(
      'div',
      { class: 'cut' },
      make('fieldset', { class: 'choice' }, make('legend', {}, 'Plane'), ...choices),
      make('div', { class: 'slider' }, (this.#strip as SliceStrip).canvas, slider),
      this.#place,
      make('label', { class: 'follow', title: 'Show the slice where blocks are at work' }, this.#follow, ' follow'),
    )
  }

  #setPlane(plane: Plane): void {
    const { map } = this
    if (map === undefined) return
    const rank = this.#shape.length
    this.#axis = [rank - 3, rank - 2, rank - 1].find((axis) => axis !== plane.down && axis !== plane.across) as number
    map.cut(plane, map.at)
    if (this.#slider !== undefined) this.#slider.max = String((this.#shape[this.#axis] as number) - 1)
    if (this.#strip !== undefined) this.#strip.axis = this.#axis
    this.#tellPlace()
    this.#drawStrip()
  }

  #cutAt(slice: number): void {
    const { map } = this
    if (map === undefined) return
    map.cut(
      map.plane,
      map.at.map((at, axis) => (axis === this.#axis ? slice : at)),
    )
    this.#tellPlace()
  }

  #tellPlace(): void {
    const slice = this.map?.at[this.#axis] ?? 0
    if (this.#slider !== undefined) this.#slider.value = String(slice)
    setText(this.#place, `${axisNames(this.#shape.length)[this.#axis]} ${slice + 1} / ${this.#shape[this.#axis]}`)
  }

  #drawStrip(): void {
    const busiest = this.#strip?.draw() ?? -1
    const now = performance.now()
    if (!this.#follow.checked || busiest < 0 || now - this.#followedAt < FOLLOW_MS) return
    this.#followedAt = now
    if (this.map?.at[this.#axis] !== busiest) this.#cutAt(busiest)
  }
}
