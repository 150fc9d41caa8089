// Searches for a voxel of 8 or 16 bits that the sums of integers and of float32 decide otherwise than those of float64: random
// sigmas, borders, types and volumes, smooth, noisy, of few values and flat. Run: node bench/gaussian-search.ts [voxels] [seed]. Exits with 1 if it finds one.
import { gaussianFilter } from '../src/entry/kernels.ts'

const wanted = Number(process.argv[2] ?? 1e9)
const seed = Number(process.argv[3] ?? 1)
const shape = [40, 96, 160]
const count = shape.reduce((product, n) => product * n, 1)
let state = seed
const random = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return state / 2 ** 32
}

const TYPES = [
  { type: Uint8Array, least: 0, range: 256 },
  { type: Int8Array, least: -128, range: 256 },
  { type: Uint16Array, least: 0, range: 65_536 },
  { type: Int16Array, least: -32_768, range: 65_536 },
  // Twelve bits of a camera.
  { type: Uint16Array, least: 0, range: 4096 },
] as const

function volume({ type, least, range }: (typeof TYPES)[number]) {
  const kind = Math.floor(random() * 4)
  const scale = range / 256
  const [base, period, noise] = [least + random() * range, 1 + random() * 60, random() * 40 * scale]
  const few = [least + random() * range, least + random() * range]
  const value = (i: number): number => {
    if (kind === 0) return least + random() * range
    if (kind === 1) return base + 60 * scale * Math.sin(i / period) + noise * random()
    if (kind === 2) return few[Math.floor(i / period) % 2]!
    return random() < 0.001 ? least + range - 1 : base
  }
  return (type as Uint16ArrayConstructor).from({ length: count }, (_, i) => Math.floor(value(i)))
}

let compared = 0
const start = performance.now()
while (compared < wanted) {
  const values = TYPES[Math.floor(random() * TYPES.length)]!
  const data = volume(values)
  const sigma = [0, 1, 2].map(() => 0.2 + random() ** 2 * 9)
  const mode = (['reflect', 'constant', 'nearest', 'mirror', 'wrap'] as const)[Math.floor(random() * 5)]!
  const options = { sigma, mode, cval: values.least + Math.floor(random() * values.range) }
  const exact = gaussianFilter({ data: Int32Array.from(data), shape }, options).data
  const fast = gaussianFilter({ data, shape }, options).data
  for (let i = 0; i < count; i++) {
    if (fast[i] === exact[i]) continue
    const type = values.type.name
    console.error(
      `voxel ${i} is ${fast[i]}, expected ${exact[i]}: ${JSON.stringify({ ...options, type, seed, compared })}`,
    )
    process.exit(1)
  }
  compared += count
}
const seconds = (performance.now() - start) / 1000
console.log(`${compared.toExponential(2)} voxels, seed ${seed}: no difference (${seconds.toFixed(0)} s)`)
