/** The part of Neuroglancer's display that is used here. However often a redraw is scheduled, it draws once per frame. */
export interface Display {
  scheduleRedraw: (() => void) & { readonly flush: () => void; readonly cancel: () => void }
}

/** How long new chunks are drawn immediately after the user has moved. */
const MOVED_MS = 1000
const SHORTEST_MS = 100

export interface DrawOptions {
  /** Where the user's moves arrive. @default the window */
  readonly moves?: Pick<EventTarget, 'addEventListener'>
  /** Milliseconds. @default performance.now */
  readonly now?: () => number
}

/**
 * Limits how often Neuroglancer draws new chunks while the user does not move; otherwise it draws for each chunk. The interval is short at
 * first and after a move, and grows from there.
 * @param everyMs the longest interval; called each time
 * @returns draws now what waits for the end of the interval
 */
export function drawAtMost(
  display: Display,
  everyMs: () => number,
  { moves = window, now: clock = () => performance.now() }: DrawOptions = {},
): () => void {
  const original = display.scheduleRedraw
  let calmSince = clock()
  let drawnAt = Number.NEGATIVE_INFINITY
  let waiting: ReturnType<typeof setTimeout> | undefined
  let waitsFor = 0
  const draw = () => {
    clearTimeout(waiting)
    waiting = undefined
    drawnAt = clock()
    original()
  }
  const request = () => {
    const now = clock()
    const every = Math.min(everyMs(), Math.max(SHORTEST_MS, (now - calmSince) / 2))
    const due = drawnAt + every
    if (now < calmSince || now >= due) draw()
    else if (waiting === undefined || due < waitsFor) {
      clearTimeout(waiting)
      waitsFor = due
      waiting = setTimeout(draw, due - now)
    }
  }
  const drawWaiting = () => {
    if (waiting !== undefined) draw()
  }
  const moved = () => {
    calmSince = clock() + MOVED_MS
    drawWaiting()
  }
  for (const event of ['pointermove', 'pointerdown', 'wheel', 'keydown', 'input', 'resize'])
    moves.addEventListener(event, moved, { capture: true, passive: true })
  display.scheduleRedraw = Object.assign(request, { flush: original.flush, cancel: original.cancel })
  return drawWaiting
}
