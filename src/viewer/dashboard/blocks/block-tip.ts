import type { DescribedBoardTask, OutputLayer } from '../../../core/board/summary.ts'
import { showSlice } from '../../../core/geometry/roi.ts'
import { createBlockGrid } from '../../../core/grid/block-grid.ts'
import { element, make } from '../../shared/elements.ts'
import { inNanometers, inVoxels, showRegion } from '../lists/region-text.ts'
import type { RunModel } from '../run-model.ts'
import { plural, showMs } from '../text.ts'
import { SHOWN_STATES, STATE_TEXT } from './state-colors.ts'

/** How long the user must point at a block before its details are requested. */
const REQUEST_MS = 80

/** A tooltip that describes the block under the pointer. */
export class BlockTip {
  readonly #tip = element('tip')
  readonly #model: RunModel
  readonly #outputOf: (task: number) => OutputLayer | undefined
  #request: ReturnType<typeof setTimeout> | undefined
  #shown = ''
  #at: { readonly number: number; readonly index: number; readonly x: number; readonly y: number } | undefined
  #state = ''

  /** @param outputOf what a task writes, once it is known: regions are in its voxels, too */
  constructor(model: RunModel, outputOf: (task: number) => OutputLayer | undefined) {
    this.#model = model
    this.#outputOf = outputOf
  }

  show(number: number, index: number | undefined, x: number, y: number): void {
    const task = this.#model.description.tasks[number]
    if (index === undefined || task === undefined) {
      clearTimeout(this.#request)
      this.#tip.hidden = true
      this.#shown = ''
      this.#at = undefined
      return
    }
    this.#at = { number, index, x, y }
    const key = `${number}/${index}`
    if (key !== this.#shown) {
      this.#shown = key
      this.#fill(task, number, index)
      clearTimeout(this.#request)
      const isBlock = task.map.cell.every((count) => count === 1)
      if (isBlock) this.#request = setTimeout(() => void this.#addDetails(number, index, key), REQUEST_MS)
    }
    this.#tip.hidden = false
    const { offsetWidth, offsetHeight } = this.#tip
    const left = x + 14 + offsetWidth > window.innerWidth ? x - 14 - offsetWidth : x + 14
    const top = y + 14 + offsetHeight > window.innerHeight ? y - 14 - offsetHeight : y + 14
    this.#tip.style.translate = `${Math.max(4, left)}px ${Math.max(4, top)}px`
  }

  /** Updates the tooltip if the state of its block has changed. */
  refresh(): void {
    const at = this.#at
    if (at === undefined || this.#stateOf(at.number, at.index) === this.#state) return
    this.#shown = ''
    this.show(at.number, at.index, at.x, at.y)
  }

  #stateOf(number: number, index: number): (typeof SHOWN_STATES)[number] {
    return SHOWN_STATES[this.#model.codes[number]?.[index] ?? 0] ?? 'pending'
  }

  #fill(task: DescribedBoardTask, number: number, index: number): void {
    const { cell, grid } = task.map
    const { writeRoi } = createBlockGrid(grid).block(index)
    const voxels = inVoxels(writeRoi, this.#outputOf(number))
    const isCell = cell.some((count) => count > 1)
    const state = this.#stateOf(number, index)
    this.#state = state
    this.#tip.replaceChildren(
      make('b', {}, isCell ? `${cell.join(' × ')} blocks of ${task.id}` : `${task.id}/${index}`),
      make('span', { class: 'state', style: `--key: var(--state-${state})` }, STATE_TEXT[state]),
      make('span', {}, `writes ${showRegion(inNanometers(writeRoi, task))} nm`),
      ...(voxels === undefined ? [] : [make('span', {}, `${showSlice(voxels)} voxels`)]),
    )
  }

  async #addDetails(number: number, index: number, key: string): Promise<void> {
    const { workerId, ms, error, attempts } = await this.#model.details(number, index)
    const at = this.#at
    if (key !== this.#shown || at === undefined) return
    const by = workerId === undefined ? '' : `by ${workerId}`
    const duration = ms === undefined ? '' : ` in ${showMs(ms)}`
    const tried = attempts === undefined ? '' : `, ${plural(attempts, 'attempt')}`
    if (by + duration !== '') this.#tip.append(make('span', {}, `${by}${duration}${tried}`))
    if (error !== undefined) this.#tip.append(make('span', { class: 'error' }, error))
    // The larger tooltip may need another position.
    this.show(at.number, at.index, at.x, at.y)
  }
}
