// MB/s of writing and reading Zarr, beside a plain copy of the same bytes into files of the same size in the same run.
//
//   node bench/zarr.ts [rounds]
//
// 128×512×512 voxels in 64³ chunks, seeded, best of the rounds (default 3). Compare ratios: machines and their load differ.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { zarrFormat } from '../src/adapters/zarr/zarr-format.ts'
import { bytesOf, type DType, type TypedArray, typedArray } from '../src/core/array/dtype.ts'

const SHAPE = [128, 512, 512] as const
const CHUNK = [64, 64, 64] as const
const CODECS = ['raw', 'gzip:1', 'zstd:1', 'blosc-lz4']
const rounds = Number(process.argv[2] ?? 3)
const count = SHAPE.reduce<number>((a, b) => a * b, 1)
const chunks = SHAPE.reduce<number>((product, length, axis) => product * Math.ceil(length / (CHUNK[axis] as number)), 1)

/** Resembles an image of tissue: smooth structures with noise of a few grey values. */
function volume(dtype: DType): TypedArray {
  const data = typedArray(dtype, count)
  let state = 1
  for (let z = 0, i = 0; z < SHAPE[0]; z++) {
    for (let y = 0; y < SHAPE[1]; y++) {
      const row = 128 + 60 * Math.sin(y / 23 + z / 31)
      for (let x = 0; x < SHAPE[2]; x++, i++) {
        state = (Math.imul(state, 1664525) + 1013904223) | 0
        data[i] = Math.round(row + 40 * Math.sin(x / 17) + (state >>> 29)) as never
      }
    }
  }
  return data
}

async function fastest(bytes: number, work: () => Promise<void>): Promise<number> {
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < rounds; round++) {
    const start = performance.now()
    await work()
    best = Math.min(best, performance.now() - start)
  }
  return bytes / 1e3 / best
}

async function plainCopy(folder: string, bytes: Uint8Array): Promise<{ write: number; read: number }> {
  await mkdir(folder)
  const size = bytes.length / chunks
  const files = Array.from({ length: chunks }, (_, i) => i)
  const path = (i: number) => join(folder, String(i))
  const write = await fastest(bytes.length, async () => {
    for (const i of files) await writeFile(path(i), bytes.subarray(i * size, (i + 1) * size))
  })
  const read = await fastest(bytes.length, async () => {
    for (const i of files) await readFile(path(i))
  })
  return { write, read }
}

const show = (speed: number, base: number): string => `${speed.toFixed(0).padStart(6)} (${(speed / base).toFixed(2)})`

const folder = await mkdtemp(join(tmpdir(), 'bellis-bench-zarr-'))
try {
  console.log(`${SHAPE.join('×')} voxels, ${CHUNK.join('×')} chunks, best of ${rounds}; MB/s (ratio to a plain copy)`)
  console.log('                         write            read')
  for (const dtype of ['uint8', 'float32'] as const) {
    const data = volume(dtype)
    const bytes = bytesOf(data)
    const base = await plainCopy(join(folder, `plain-${dtype}`), bytes)
    console.log(
      `${`${dtype} plain copy`.padEnd(18)} ${show(base.write, base.write)} ${show(base.read, base.read).padStart(15)}`,
    )
    for (const codec of CODECS) {
      const box = { offset: [0, 0, 0], shape: SHAPE }
      const inner = `${dtype}-${codec.replace(':', '-')}`
      const array = await zarrFormat().create(join(folder, 'a.zarr'), inner, {
        shape: SHAPE,
        dtype,
        chunkShape: CHUNK,
        codec,
      })
      const write = await fastest(bytes.length, () => array.writeVoxels(box, data))
      const into = typedArray(dtype, count)
      const read = await fastest(bytes.length, () => array.readVoxels(box, into))
      if (Buffer.compare(bytesOf(into), bytes) !== 0)
        throw new Error(`${inner} was read with other values than were written`)
      console.log(`${`${dtype} ${codec}`.padEnd(18)} ${show(write, base.write)} ${show(read, base.read).padStart(15)}`)
      await rm(join(folder, 'a.zarr', inner), { recursive: true })
    }
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}
