import type { DescribedBoardTask } from '../../../core/board/summary.ts'
import { createBlockGrid } from '../../../core/grid/block-grid.ts'
import { element, make } from '../../shared/elements.ts'
import type { RunModel } from '../run-model.ts'
import { plural, showMs } from '../text.ts'
import { SHOWN_STATES, STATE_TEXT } from './state-colors.ts'

/** How long somebody points at a block until more is asked about it. */
const ASK_MS = 80

/** What a block is, beside what points at it. */
export class BlockTip {
  readonly #tip = element('tip')
  readonly #model: RunModel
  #asked: ReturnType<typeof setTimeout> | undefined
  #shown = ''
  #at: { readonly number: number; readonly index: number; readonly x: number; readonly y: number } | undefined
  #state = ''

  constructor(model: RunModel) {
    this.#model = model
  }

  show(number: number, index: number | undefined, x: number, y: number): void {
    const task = this.#model.description.tasks[number]
    if (index === undefined || task === undefined) {
      clearTimeout(this.#asked)
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
      clearTimeout(this.#asked)
      const isBlock = task.map.cell.every((count) => count === 1)
      if (isBlock) this.#asked = setTimeout(() => void this.#ask(number, index, key), ASK_MS)
    }
    this.#tip.hidden = false
    const { offsetWidth, offsetHeight } = this.#tip
    const left = x + 14 + offsetWidth > window.innerWidth ? x - 14 - offsetWidth : x + 14
    const top = y + 14 + offsetHeight > window.innerHeight ? y - 14 - offsetHeight : y + 14
    this.#tip.style.translate = `${Math.max(4, left)}px ${Math.max(4, top)}px`
  }

  /** Blocks go on while somebody points at one. */
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
    const isCell = cell.some((count) => count > 1)
    const state = this.#stateOf(number, index)
    this.#state = state
    this.#tip.replaceChildren(
      make('b', {}, isCell ? `${cell.join(' × ')} blocks of ${task.id}` : `${task.id}/${index}`),
      make('span', { class: 'state', style: `--key: var(--state-${state})` }, STATE_TEXT[state]),
      make('span', {}, `writes ${writeRoi.offset.join(', ')}`),
      make('span', {}, `size ${writeRoi.shape.join(' × ')} ${task.unit}`),
    )
  }

  async #ask(number: number, index: number, key: string): Promise<void> {
    const { workerId, ms, error, attempts } = await this.#model.details(number, index)
    const at = this.#at
    if (key !== this.#shown || at === undefined) return
    const by = workerId === undefined ? '' : `by ${workerId}`
    const took = ms === undefined ? '' : ` in ${showMs(ms)}`
    const tries = attempts === undefined ? '' : `, ${plural(attempts, 'try', 'tries')}`
    if (by + took !== '') this.#tip.append(make('span', {}, `${by}${took}${tries}`))
    if (error !== undefined) this.#tip.append(make('span', { class: 'error' }, error))
    // It may be too large now for where it is.
    this.show(at.number, at.index, at.x, at.y)
  }
}
