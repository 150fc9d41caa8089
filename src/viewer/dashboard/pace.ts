/** How often what changes by itself is drawn, milliseconds. */
export interface Pace {
  /** How often counts and maps are drawn, at most; bellis tells what changed once a second. */
  readonly page: number
  /** How often chunks that were written are fetched, and the states over them drawn. */
  readonly renew: number
  /** How often the section follows the work, at most. */
  readonly follow: number
  /** How often Neuroglancer draws what comes in, at most, while nobody moves in it. */
  readonly draw: number
}

/** Where there is a graphics card, or no run that wants the processors. */
export const WITH_CARD: Pace = { page: 0, renew: 1000, follow: 5000, draw: 250 }
/** A frame takes a processor's time then, which is the run's. */
const WITHOUT_CARD: Pace = { page: 1900, renew: 5000, follow: 30_000, draw: 5000 }

/** What draws WebGL where there is no graphics card: ANGLE's SwiftShader, Mesa's llvmpipe and softpipe, Windows' Basic Render Driver. */
const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i

const webgl = document.createElement('canvas').getContext('webgl2')

/** Whether this browser can draw volumes at all. */
export const HAS_WEBGL = webgl !== null

/** How often this browser draws. */
export const PACE = paceOf(webgl)

function paceOf(gl: WebGL2RenderingContext | null): Pace {
  if (gl === null) return WITHOUT_CARD
  const info = gl.getExtension('WEBGL_debug_renderer_info')
  const name = String(gl.getParameter(info === null ? gl.RENDERER : info.UNMASKED_RENDERER_WEBGL))
  gl.getExtension('WEBGL_lose_context')?.loseContext()
  return SOFTWARE.test(name) ? WITHOUT_CARD : WITH_CARD
}

/** What Neuroglancer has for its drawing, as far as it is used here: asked again and again, it draws once a frame. */
interface Display {
  scheduleRedraw: (() => void) & { readonly flush: () => void; readonly cancel: () => void }
}

/** Draws at once for so long after somebody has moved. */
const MOVED_MS = 1000
const SHORTEST_MS = 100

/**
 * Has Neuroglancer draw what comes in at most so often while nobody moves on the page: it would for each chunk. At first, and after a
 * move, it draws more often, and then more and more rarely.
 * @param everyMs asked each time
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
  const ask = () => {
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
  display.scheduleRedraw = Object.assign(ask, { flush: original.flush, cancel: original.cancel })
}
