// Gaussian smoothing of 128×256×256 voxels on one thread, against two baselines in the same run: plain JavaScript (the same
// operations, four outputs in registers) and a memory copy. Run: node bench/gaussian.ts [--quick]
import { cropBox, gaussianFilter, gaussianWeights } from '../src/entry/kernels.ts'

type Data = Uint8Array | Uint16Array | Float32Array | Float64Array

const quick = process.argv.includes('--quick')
const shape = quick ? [32, 128, 128] : [128, 256, 256]
const count = shape.reduce((product, n) => product * n, 1)
const runs = quick ? 2 : 5

function seeded<T extends Data>(data: T): T {
  let state = 1
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    data[i] = state >>> (data.BYTES_PER_ELEMENT === 2 ? 16 : 24)
  }
  return data
}

function megavoxels(work: () => void): number {
  let best = Number.POSITIVE_INFINITY
  for (let i = 0; i < runs; i++) {
    const start = performance.now()
    work()
    best = Math.min(best, performance.now() - start)
  }
  return count / best / 1000
}

/** With mode `reflect`; every axis must be longer than the radius. */
function plainFilter(data: Data, sigma: number): Data {
  const weights = gaussianWeights(sigma)
  const radius = (weights.length - 1) / 2
  let current = data
  for (let axis = 0; axis < 3; axis++) {
    const length = shape[axis]!
    const inner = shape.slice(axis + 1).reduce((product, n) => product * n, 1)
    const line = new Float64Array(length + 2 * radius + 3)
    const next = new (data.constructor as new (length: number) => Data)(count)
    for (let outer = 0; outer < count; outer += length * inner) {
      for (let column = outer; column < outer + inner; column++) {
        for (let l = 0; l < length; l++) line[radius + l] = current[column + l * inner]!
        for (let i = 0; i < radius; i++) {
          line[radius - 1 - i] = line[radius + i]!
          line[radius + length + i] = line[radius + length - 1 - i]!
        }
        for (let l = 0; l < length; l += 4) {
          const at = l + radius
          const center = weights[radius]!
          let a = line[at]! * center
          let b = line[at + 1]! * center
          let c = line[at + 2]! * center
          let d = line[at + 3]! * center
          for (let j = radius; j > 0; j--) {
            const weight = weights[radius + j]!
            a += (line[at - j]! + line[at + j]!) * weight
            b += (line[at + 1 - j]! + line[at + 1 + j]!) * weight
            c += (line[at + 2 - j]! + line[at + 2 + j]!) * weight
            d += (line[at + 3 - j]! + line[at + 3 + j]!) * weight
          }
          next[column + l * inner] = a
          next[column + (l + 1) * inner] = b
          next[column + (l + 2) * inner] = c
          next[column + (l + 3) * inner] = d
        }
      }
    }
    current = next
  }
  return current
}

console.log(`${shape.join('×')} voxels, one thread, best of ${runs}: Mvoxel/s (× plain JavaScript)`)
const inputs = [new Uint8Array(count), new Uint16Array(count), new Float32Array(count), new Float64Array(count)]
for (const data of inputs.map(seeded)) {
  const into = data.slice()
  const figures = [2, 5].map((sigma) => {
    const expected = plainFilter(data, sigma)
    const fast = megavoxels(() => gaussianFilter({ data, shape }, { sigma, into }))
    if (Buffer.compare(Buffer.from(expected.buffer), Buffer.from(into.buffer)) !== 0) throw new Error('results differ')
    const plain = megavoxels(() => plainFilter(data, sigma))
    return `σ ${sigma}: ${fast.toFixed(1)} (${(fast / plain).toFixed(1)} ×)`
  })
  const copy = megavoxels(() => into.set(data))
  const box = shape.map((n) => n - 16)
  const crop = megavoxels(() => cropBox(data, shape, [8, 8, 8], box))
  const name = data.constructor.name.replace('Array', '').toLowerCase()
  console.log(`${name.padEnd(8)} ${figures.join('   ')}   copy: ${copy.toFixed(0)}   cropBox: ${crop.toFixed(0)}`)
}
