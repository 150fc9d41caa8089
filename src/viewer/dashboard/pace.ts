/** Intervals at which changes are drawn, milliseconds. */
export interface Pace {
  /** Shortest interval for counts and maps; bellis sends changes once a second. */
  readonly page: number
  /** Interval at which written chunks are fetched, and then drawn with the states over them. */
  readonly renew: number
  /** Shortest interval at which the section follows the running blocks. */
  readonly follow: number
  /** Shortest interval at which Neuroglancer draws by itself while the user does not move. */
  readonly draw: number
}

/** With a graphics card, or if no run needs the processors. */
export const WITH_CARD: Pace = { page: 0, renew: 1000, follow: 5000, draw: 250 }
/** Without a graphics card, each frame takes processor time from the run. */
const WITHOUT_CARD: Pace = { page: 1900, renew: 2000, follow: 10_000, draw: 5000 }

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
