/** Intervals at which changes are drawn, milliseconds. */
export interface Pace {
  /** Shortest interval for counts and maps; bellis sends changes once a second. */
  readonly page: number
  /** Interval at which written chunks are fetched and the states over them drawn. */
  readonly renew: number
  /** Shortest interval at which the section follows the running blocks. */
  readonly follow: number
  /** Shortest interval at which Neuroglancer draws new chunks while the user does not move. */
  readonly draw: number
}

/** With a graphics card, or if no run needs the processors. */
export const WITH_CARD: Pace = { page: 0, renew: 1000, follow: 5000, draw: 250 }
/** Without a graphics card, each frame takes processor time from the run. */
const WITHOUT_CARD: Pace = { page: 1900, renew: 5000, follow: 30_000, draw: 5000 }

/** Software renderers for WebGL: ANGLE's SwiftShader, Mesa's llvmpipe and softpipe, Windows' Basic Render Driver. */
const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i

const webgl = document.createElement('canvas').getContext('webgl2')

/** Whether this browser can draw volumes. */
export const HAS_WEBGL = webgl !== null

/** The pace for this browser. */
export const PACE = paceOf(webgl)

function paceOf(gl: WebGL2RenderingContext | null): Pace {
  if (gl === null) return WITHOUT_CARD
  const info = gl.getExtension('WEBGL_debug_renderer_info')
  const name = String(gl.getParameter(info === null ? gl.RENDERER : info.UNMASKED_RENDERER_WEBGL))
  gl.getExtension('WEBGL_lose_context')?.loseContext()
  return SOFTWARE.test(name) ? WITHOUT_CARD : WITH_CARD
}

/** The part of Neuroglancer's display that is used here. However often a redraw is scheduled, it draws once per frame. */
interface Display {
  scheduleRedraw: (() => void) & { readonly flush: () => void; readonly cancel: () => void }
}

/** How long new chunks are drawn immediately after the user has moved. */
const MOVED_MS = 1000
const SHORTEST_MS = 100

/**
 * Limits how often Neuroglancer draws new chunks while the user does not move; otherwise it draws for each chunk. The interval is short at
 * first and after a move, and grows from there.
 * @param everyMs the longest interval; called each time
 */
export function drawAtMost(display: Display, everyMs: () => number): void {
  const original = display.scheduleRedraw
  let calmSince = performance.now()
  let drawnAt = Number.NEGATIVE_INFINITY
  let waiting: ReturnType<typeof setTimeout> | undefined
  let waitsFor = 0
  const draw = () => {
    clearTimeout(waiting)
    waiting = undefined
    drawnAt = performance.now()
    original()
  }
  const request = () => {
    const now = performance.now()
    const every = Math.min(everyMs(), Math.max(SHORTEST_MS, (now - calmSince) / 2))
    const due = drawnAt + every
    if (now < calmSince || now >= due) draw()
    else if (waiting === undefined || due < waitsFor) {
      clearTimeout(waiting)
      waitsFor = due
      waiting = setTimeout(draw, due - now)
    }
  }
  const moved = () => {
    calmSince = performance.now() + MOVED_MS
    if (waiting !== undefined) draw()
  }
  for (const event of ['pointermove', 'pointerdown', 'wheel', 'keydown', 'input', 'resize'])
    window.addEventListener(event, moved, { capture: true, passive: true })
  display.scheduleRedraw = Object.assign(request, { flush: original.flush, cancel: original.cancel })
}
