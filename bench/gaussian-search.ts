// Searches for a voxel that the integer sums of bytes decide otherwise than float64 sums do: random sigmas, borders and volumes,
// smooth, noisy, of few values and flat. Run: node bench/gaussian-search.ts [voxels] [seed]. Exits with 1 if it finds one.
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

function volume(): Uint8Array {
  const kind = Math.floor(random() * 4)
  const [base, period, noise] = [random() * 255, 1 + random() * 60, random() * 40]
  const few = [random() * 256, random() * 256]
  return Uint8Array.from({ length: count }, (_, i) => {
    if (kind === 0) return random() * 256
    if (kind === 1) return base + 60 * Math.sin(i / period) + noise * random()
    if (kind === 2) return few[Math.floor(i / period) % 2]!
    return random() < 0.001 ? 255 : base
  })
}

let compared = 0
const start = performance.now()
while (compared < wanted) {
  const data = volume()
  const sigma = [0, 1, 2].map(() => 0.2 + random() ** 2 * 9)
  const mode = (['reflect', 'constant', 'nearest', 'mirror', 'wrap'] as const)[Math.floor(random() * 5)]!
  const options = { sigma, mode, cval: Math.floor(random() * 256) }
  const exact = gaussianFilter({ data: Int16Array.from(data), shape }, options).data
  const fast = gaussianFilter({ data, shape }, options).data
  for (let i = 0; i < count; i++) {
    if (fast[i] === exact[i]) continue
    console.error(`voxel ${i} is ${fast[i]}, expected ${exact[i]}: ${JSON.stringify({ ...options, seed, compared })}`)
    process.exit(1)
  }
  compared += count
}
const seconds = (performance.now() - start) / 1000
console.log(`${compared.toExponential(2)} voxels, seed ${seed}: no difference (${seconds.toFixed(0)} s)`)
