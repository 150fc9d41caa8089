import { SHOWN_STATES, statePalette } from '../blocks/state-colors.ts'

/** States whose voxels are, at least in part, there to be seen: the opacity of their colour. All others hide what is below. */
const OPACITY: Readonly<Partial<Record<(typeof SHOWN_STATES)[number], number>>> = {
  completed: 0,
  skipped: 0,
  masked: 0.5,
  partly: 0.3,
}

/**
 * A shader that colours a volume of states like the map. What is not written is opaque: below it there may be a chunk that was fetched as
 * fill value, one that was not fetched yet, or what an earlier run has left.
 */
export function statesShader(): string {
  const cases = [...statePalette()].map((color, code) => {
    const part = (shift: number) => (((color >>> shift) & 255) / 255).toFixed(4)
    const opacity = OPACITY[SHOWN_STATES[code] as (typeof SHOWN_STATES)[number]] ?? 1
    return `if (state == ${code}u) emitRGBA(vec4(${part(0)}, ${part(8)}, ${part(16)}, ${opacity.toFixed(2)}));`
  })
  return `void main() {
  uint state = getDataValue().value;
  ${cases.join('\n  else ')}
}`
}
