import { PARTLY_DONE } from '../../../core/board/cell-map.ts'
import { STATE_CODE } from '../../../core/scheduling/state-map.ts'
import { drawingContext } from '../../shared/elements.ts'

/**
 * The progress of each slice along an axis, as a strip behind its slider: the done share from below, running or failed blocks on top.
 */
export class SliceStrip {
  readonly canvas = document.createElement('canvas')
  readonly #codes: Uint8Array
  readonly #shape: readonly number[]
  #axis = 0
  #done = new Float64Array()
  #working = new Uint8Array()
  #failed = new Uint8Array()
  /** For each slice: a running block, otherwise the first block that is not done, otherwise -1. */
  #open = new Float64Array()
  #isStale = true

  constructor(codes: Uint8Array, shape: readonly number[]) {
    this.#codes = codes
    this.#shape = shape
    this.canvas.className = 'strip'
    this.canvas.setAttribute('aria-hidden', 'true')
  }

  set axis(axis: number) {
    this.#axis = axis
    this.#isStale = true
  }

  changed(): void {
    this.#isStale = true
  }

  /** Index of a running block of a slice, otherwise of the first block that is not done. */
  workIn(slice: number): number | undefined {
    const index = this.#open[slice] ?? -1
    return index < 0 ? undefined : index
  }

  /** Counts all blocks if any has changed. @returns the slice with the most running blocks, otherwise the last one that is partly done, or -1 */
  draw(): number {
    if (this.#isStale) this.#count()
    this.#isStale = false
    const length = this.#shape[this.#axis] as number
    const width = Math.max(1, this.canvas.clientWidth)
    const height = Math.max(1, this.canvas.clientHeight)
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height })
    const context = drawingContext(this.canvas)
    if (context === null) return -1
    const style = getComputedStyle(this.canvas)
    const color = (name: string) => style.getPropertyValue(`--state-${name}`)
    const perSlice = this.#codes.length / length
    context.clearRect(0, 0, width, height)
    let most = -1
    let started = -1
    for (let slice = 0; slice < length; slice++) {
      const x = Math.floor((slice * width) / length)
      const w = Math.max(1, Math.floor(((slice + 1) * width) / length) - x - (width / length > 4 ? 1 : 0))
      const done = ((this.#done[slice] ?? 0) / perSlice) * height
      context.fillStyle = color('pending')
      context.fillRect(x, 0, w, height)
      context.fillStyle = color('completed')
      context.fillRect(x, height - done, w, done)
      const trouble = (this.#failed[slice] ?? 0) > 0 ? 'failed' : (this.#working[slice] ?? 0) > 0 ? 'processing' : ''
      if (trouble !== '') {
        context.fillStyle = color(trouble)
        context.fillRect(x, 0, w, 3)
      }
      if ((this.#working[slice] ?? 0) > (this.#working[most] ?? 0)) most = slice
      if (done > 0 && done < height) started = slice
    }
    return most < 0 ? started : most
  }

  #count(): void {
    const length = this.#shape[this.#axis] as number
    const stride = this.#shape.slice(this.#axis + 1).reduce((all, each) => all * each, 1)
    const [done, working, failed] = [new Float64Array(length), new Uint8Array(length), new Uint8Array(length)]
    const open = new Float64Array(length).fill(-1)
    const codes = this.#codes
    for (let start = 0; start < codes.length; start += stride) {
      const slice = Math.floor(start / stride) % length
      for (let index = start; index < start + stride; index++) {
        const code = codes[index]
        if (code === STATE_CODE.completed || code === STATE_CODE.skipped || code === STATE_CODE.masked) done[slice]!++
        else if (code === STATE_CODE.processing) {
          if (working[slice] === 0) open[slice] = index
          if (working[slice]! < 255) working[slice]!++
        } else {
          if (code === STATE_CODE.failed) failed[slice] = 1
          else if (code === PARTLY_DONE) done[slice]! += 0.5
          if (open[slice]! < 0) open[slice] = index
        }
      }
    }
    this.#done = done
    this.#working = working
    this.#failed = failed
    this.#open = open
  }
}
