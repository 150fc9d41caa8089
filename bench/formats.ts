// MB per processor second of writing and reading each codec of Zarr, beside a plain copy of the same bytes into files of the same
// size, and beside tensorstore and zarrs in one thread if `npm run bench -- --peers` has made their environment.
//
//   node bench/formats.ts [--size z,y,x] [--rounds n]
//
// 64³ chunks, seeded, best of the rounds. Compare ratios: machines and their load differ.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { zarrFormat } from '../src/adapters/zarr/zarr-format.ts'
import { bytesOf, type DType, type TypedArray, typedArray } from '../src/core/array/dtype.ts'
import { fastestOf } from './fastest.ts'

const { values: options } = parseArgs({
  options: { size: { type: 'string', default: '128,256,256' }, rounds: { type: 'string', default: '3' } },
})
const shape = options.size.split(',').map(Number)
const rounds = Number(options.rounds)
const CHUNK = [64, 64, 64] as const
const CODECS = ['raw', 'zstd:3', 'blosc-lz4', 'gzip:6']
const count = shape.reduce((a, b) => a * b, 1)
const chunks = shape.reduce((product, length, axis) => product * Math.ceil(length / (CHUNK[axis] as number)), 1)
const python = fileURLToPath(new URL('../.cache/peers/bin/python', import.meta.url))
const script = fileURLToPath(new URL('peers/formats.py', import.meta.url))
const peers = existsSync(python) ? ['tensorstore', 'zarrs'] : []

/** Processor seconds of one reading and one writing. */
interface Speed {
  readonly read: number
  readonly write: number
}

/** Resembles an image of tissue: smooth structures with noise of a few grey values. */
function volume(dtype: DType): TypedArray {
  const data = typedArray(dtype, count)
  const [depth, height, width] = shape as [number, number, number]
  let state = 1
  for (let z = 0, i = 0; z < depth; z++) {
    for (let y = 0; y < height; y++) {
      const row = 128 + 60 * Math.sin(y / 23 + z / 31)
      for (let x = 0; x < width; x++, i++) {
        state = (Math.imul(state, 1664525) + 1013904223) | 0
        data[i] = Math.round(row + 40 * Math.sin(x / 17) + (state >>> 29)) as never
      }
    }
  }
  return data
}

async function plainCopy(folder: string, bytes: Uint8Array): Promise<Speed> {
  await mkdir(folder)
  const size = bytes.length / chunks
  const files = Array.from({ length: chunks }, (_, i) => i)
  const path = (i: number) => join(folder, String(i))
  const write = await fastestOf(rounds, async () => {
    for (const i of files) await writeFile(path(i), bytes.subarray(i * size, (i + 1) * size))
  })
  const read = await fastestOf(rounds, async () => {
    for (const i of files) await readFile(path(i))
  })
  return { write, read }
}

/** Opened or made again each time, so that nothing is left of the round before. */
async function ours(container: string, codec: string, dtype: DType, data: TypedArray): Promise<Speed> {
  const box = { offset: [0, 0, 0], shape }
  const write = await fastestOf(rounds, async () => {
    await rm(container, { recursive: true, force: true })
    await using array = await zarrFormat().create(container, 'raw', { shape, dtype, chunkShape: CHUNK, codec })
    await array.writeVoxels(box, data)
  })
  const into = typedArray(dtype, count)
  const read = await fastestOf(rounds, async () => {
    await using array = await zarrFormat().open(container, 'raw')
    await array.readVoxels(box, into)
  })
  if (Buffer.compare(bytesOf(into), bytesOf(data)) !== 0) {
    throw new Error(`${dtype} ${codec} was read with other values than were written`)
  }
  return { write, read }
}

function theirs(library: string, container: string, codec: string): Speed {
  const args = [script, library, join(container, 'raw'), codec, String(rounds), `${container}-copy`]
  return JSON.parse(execFileSync(python, args, { encoding: 'utf8' })) as Speed
}

const folder = await mkdtemp(join(tmpdir(), 'bellis-bench-formats-'))
try {
  console.log(
    `${shape.join(' × ')} voxels, ${CHUNK.join(' × ')} chunks, best of ${rounds}: MB per processor second (ratio to Bellis)`,
  )
  for (const dtype of ['uint8', 'float32'] as const) {
    const data = volume(dtype)
    const bytes = bytesOf(data)
    const megabytes = bytes.length / 1e6
    const line = (name: string, { read, write }: Speed, base: Speed) => {
      const show = (seconds: number, of: number) =>
        `${(megabytes / seconds).toFixed(0).padStart(6)} (${(of / seconds).toFixed(2)})`
      console.log(`${`${dtype} ${name}`.padEnd(32)} read ${show(read, base.read)}   write ${show(write, base.write)}`)
    }
    const plain = await plainCopy(join(folder, `plain-${dtype}`), bytes)
    for (const codec of CODECS) {
      const container = join(folder, `${dtype}-${codec.replace(/:.*/, '')}.zarr`)
      const base = await ours(container, codec, dtype, data)
      line(codec, base, base)
      for (const library of peers) line(`${codec}, ${library}`, theirs(library, container, codec), base)
      if (codec === 'raw') line('plain copy', plain, base)
      await rm(container, { recursive: true })
    }
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}
