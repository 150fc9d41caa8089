import type { RunSummary } from '../../core/board/summary.ts'
import { showCount, showDuration } from '../../core/text/numbers.ts'
import { drawingContext } from '../shared/elements.ts'

/** Blocks per second over time, with the tasks stacked. */
export class RateChart {
  readonly #canvas: HTMLCanvasElement
  readonly #caption: HTMLElement
  #summary: RunSummary | undefined

  constructor(figure: HTMLElement) {
    this.#canvas = figure.querySelector('canvas') as HTMLCanvasElement
    this.#caption = figure.querySelector('figcaption') as HTMLElement
    new ResizeObserver(() => this.draw()).observe(figure)
  }

  update(summary: RunSummary): void {
    this.#summary = summary
    this.draw()
  }

  draw(): void {
    const { tasks, seconds, stepSeconds } = this.#summary ?? { tasks: [], seconds: 0, stepSeconds: 1 }
    const canvas = this.#canvas
    const scale = window.devicePixelRatio
    const [width, height] = [Math.round(canvas.clientWidth * scale), Math.round(canvas.clientHeight * scale)]
    if (width === 0) return
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height })
    const context = drawingContext(canvas)
    if (context === null) return
    context.clearRect(0, 0, width, height)
    const steps = Math.max(1, ...tasks.map(({ series }) => series.length))
    const sums = Array.from({ length: steps }, (_, step) =>
      tasks.reduce((sum, { series }) => sum + (series[step] ?? 0), 0),
    )
    const highest = Math.max(...sums)
    const most = Math.max(highest, 1e-9)
    const style = getComputedStyle(canvas)
    const top = 4 * scale
    const x = (step: number) => (step / steps) * width
    const y = (rate: number) => height - (rate / most) * (height - top)
    const below = new Array<number>(steps).fill(0)
    for (const [number, { series }] of tasks.entries()) {
      const above = below.map((rate, step) => rate + (series[step] ?? 0))
      context.beginPath()
      context.moveTo(0, y(below[0] as number))
      for (let step = 0; step < steps; step++) {
        context.lineTo(x(step), y(above[step] as number))
        context.lineTo(x(step + 1), y(above[step] as number))
      }
      for (let step = steps - 1; step >= 0; step--) {
        context.lineTo(x(step + 1), y(below[step] as number))
        context.lineTo(x(step), y(below[step] as number))
      }
      context.closePath()
      context.fillStyle = style.getPropertyValue(`--task-${number % 6}`)
      context.fill()
      below.splice(0, steps, ...above)
    }
    const text =
      highest === 0
        ? 'No block has been done yet.'
        : `Blocks per second over ${showDuration(seconds, 0)}; at most ${showCount(most)}/s${stepSeconds > 1 ? `, averaged over ${stepSeconds} s` : ''}`
    canvas.setAttribute('aria-label', text)
    this.#caption.replaceChildren(
      ...tasks.map(({ id }, number) => {
        const key = document.createElement('span')
        key.className = 'key'
        key.style.setProperty('--key', `var(--task-${number % 6})`)
        key.textContent = id
        key.title = id
        return key
      }),
      text,
    )
  }
}
