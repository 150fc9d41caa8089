/** What happens to a canvas that the user points at, with a mouse, a finger or the keyboard. */
export interface PointingHandlers {
  /** The pointer is at a position in the window. */
  point(x: number, y: number): void
  isPointing(): boolean
  leave(): void
  /** An arrow key was pressed. */
  step(down: number, right: number): void
  click(x: number, y: number): void
  /** The Enter key was pressed. */
  enter(): void
  /** The canvas has lost the keyboard focus. */
  blur(): void
}

const STEPS: Readonly<Record<string, readonly [down: number, right: number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
}

export function listenForPointing(canvas: HTMLCanvasElement, handlers: PointingHandlers): void {
  for (const kind of ['pointermove', 'pointerdown'] as const) {
    canvas.addEventListener(kind, ({ clientX, clientY }) => handlers.point(clientX, clientY))
  }
  // A finger taps a block instead of moving over it; the block stays selected until the next tap elsewhere.
  canvas.addEventListener('pointerleave', ({ pointerType }) => {
    if (pointerType !== 'touch') handlers.leave()
  })
  document.addEventListener('pointerdown', ({ target }) => {
    if (target !== canvas && handlers.isPointing()) handlers.leave()
  })
  canvas.addEventListener('click', ({ clientX, clientY }) => handlers.click(clientX, clientY))
  canvas.addEventListener('blur', () => handlers.blur())
  canvas.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') handlers.leave()
    if (event.key === 'Enter') handlers.enter()
    const step = STEPS[event.key]
    if (step === undefined) return
    event.preventDefault()
    handlers.step(...step)
  })
}
