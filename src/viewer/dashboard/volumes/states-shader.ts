import { SHOWN_STATES, statePalette } from '../blocks/state-colors.ts'

/** The opacity of each state over the volume; 0 for finished blocks, so that their voxels are visible. */
const OPACITY: Readonly<Record<(typeof SHOWN_STATES)[number], number>> = {
  pending: 0.6,
  ready: 0.5,
  processing: 0.6,
  completed: 0,
  failed: 0.6,
  orphaned: 0.5,
  skipped: 0,
  partly: 0.3,
}

/** A shader that colours a volume of states like the map. */
export function statesShader(): string {
  const cases = [...statePalette()].map((color, code) => {
    const part = (shift: number) => (((color >>> shift) & 255) / 255).toFixed(4)
    const opacity = OPACITY[SHOWN_STATES[code] as (typeof SHOWN_STATES)[number]]
    return `if (state == ${code}u) emitRGBA(vec4(${part(0)}, ${part(8)}, ${part(16)}, ${opacity.toFixed(2)}));`
  })
  return `void main() {
  uint state = getDataValue().value;
  ${cases.join('\n  else ')}
}`
}
