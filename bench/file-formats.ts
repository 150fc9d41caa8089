// Processor seconds of reading each format, and of writing those that Bellis writes, beside the reference library of the format in one
// thread, on the same files. Needs the Python of the tests: node scripts/python-env.mjs
//
//   node bench/file-formats.ts [--size z,y,x] [--rounds n] [--only text]
//
// Best of the rounds. Compare ratios: machines and their load differ.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { typedArray } from '../src/core/array/dtype.ts'
import { parseDatasetPath } from '../src/entry/arrays.ts'
import type { CreateArrayOptions } from '../src/ports/chunked-array.ts'
import { fastestOf } from './fastest.ts'

/** What the reference library took. */
interface Row {
  readonly name: string
  readonly path: string
  readonly library: string
  readonly megabytes: number
  readonly read: number
  readonly write?: number
  /** With which Bellis writes the same. */
  readonly settings?: Partial<CreateArrayOptions>
}

const { values: options } = parseArgs({
  options: {
    size: { type: 'string', default: '128,256,256' },
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', default: '' },
  },
})
const rounds = Number(options.rounds)
/** The chunks of the files are that large. */
const LEAST = [32, 64, 64] as const
const size = options.size.split(',').map(Number)
if (
  size.length !== 3 ||
  !LEAST.every((least, axis) => Number.isInteger(size[axis]) && (size[axis] as number) >= least)
) {
  console.error(`--size ${options.size}: expected three lengths, at least ${LEAST.join(',')}.`)
  process.exit(2)
}
if (!(Number.isInteger(rounds) && rounds > 0)) {
  console.error(`--rounds ${options.rounds}: expected a whole number above 0.`)
  process.exit(2)
}

/** Opened again each time, so that nothing is left of the round before. */
async function ours(folder: string, { path, settings }: Row): Promise<{ read: number; write?: number }> {
  const { format, container, inner } = parseDatasetPath(join(folder, path))
  await using first = await format.open(container, inner)
  const box = { offset: first.shape.map(() => 0), shape: first.shape }
  const voxels = typedArray(
    first.dtype,
    first.shape.reduce((product, length) => product * length, 1),
  )
  const read = await fastestOf(rounds, async () => {
    await using array = await format.open(container, inner)
    await array.readVoxels(box, voxels)
  })
  if (settings === undefined) return { read }
  const copy = join(folder, 'copies', path)
  const axes = first.axes.map((axis) => ({ ...axis }))
  const write = await fastestOf(rounds, async () => {
    await rm(copy, { recursive: true, force: true })
    const wanted = { ...settings, shape: first.shape, dtype: first.dtype, axes }
    const name = path.endsWith('.precomputed') ? '' : 'raw'
    await using array = await format.create(copy, name, wanted)
    await array.writeVoxels(box, voxels)
  })
  await rm(copy, { recursive: true, force: true })
  return { read, write }
}

const python = fileURLToPath(new URL('../.cache/python/bin/python', import.meta.url))
const script = fileURLToPath(new URL('peers/file_formats.py', import.meta.url))
if (existsSync(python)) {
  const folder = await mkdtemp(join(tmpdir(), 'bellis-bench-file-formats-'))
  try {
    const text = execFileSync(python, [script, folder, options.size, options.rounds], { encoding: 'utf8' })
    console.log('| format | library | MB/s read: library, Bellis | ratio | MB/s written: library, Bellis | ratio |')
    console.log('| --- | --- | --- | --- | --- | --- |')
    for (const row of JSON.parse(text) as readonly Row[]) {
      if (!row.name.includes(options.only)) continue
      const { read, write } = await ours(folder, row)
      const speeds = (theirs: number, own: number) =>
        `${[theirs, own].map((seconds) => (row.megabytes / seconds).toFixed(0)).join(', ')} | ${(own / theirs).toFixed(2)}`
      const written = write === undefined || row.write === undefined ? ' | ' : speeds(row.write, write)
      console.log(`| ${row.name} | ${row.library} | ${speeds(row.read, read)} | ${written} |`)
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
} else {
  console.log('no Python environment; make it with: node scripts/python-env.mjs')
}
