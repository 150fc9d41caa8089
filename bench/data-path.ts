// Complete commands against the pipelines that people would write instead, from start to end, in turns: processor seconds of the
// whole process tree and elapsed seconds, their ratios, and whether the outputs are equal to the bit.
//
//   node bench/data-path.ts [--size z,y,x] [--rounds n] [--dtype uint8|uint16|float32] [--input FILE/DATASET] [--only row,…]
//                           [--strongest] [--memory] [--report FILE]
//
// --strongest leaves out the other peers; --report writes the figures as JSON, of which bench/data-path/document.ts makes the table
// and the chart of docs/PERFORMANCE.md.
//
// Needs a build, and Python 3 for measuring. The peers run if `npm run bench -- --peers` has made their environment. The inputs are
// made once and kept in .cache/bench. Compare ratios: machines and their load differ.
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Measured, measureCommand, measureSide } from './data-path/measured-command.ts'
import { type Report, type RowFigures, type SideFigures, TABLE_HEAD, tableLine } from './data-path/report.ts'
import { CODECS, type Inputs, type Programs, type Row, type Side, tableRows } from './data-path/rows.ts'

const pathOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const { values: options } = parseArgs({
  options: {
    size: { type: 'string', default: '64,256,256' },
    rounds: { type: 'string', default: '3' },
    dtype: { type: 'string', default: 'uint8' },
    workers: { type: 'string', default: '2' },
    input: { type: 'string' },
    only: { type: 'string' },
    strongest: { type: 'boolean', default: false },
    memory: { type: 'boolean', default: false },
    report: { type: 'string' },
  },
})
const peersPython = pathOf('../.cache/peers/bin/python')
const hasPeers = existsSync(peersPython)
const programs: Programs = {
  node: process.execPath,
  bellis: pathOf('../bin/bellis.js'),
  chain: pathOf('../examples/chain.ts'),
  python: hasPeers ? peersPython : 'python3',
  pipelines: pathOf('peers/pipelines.py'),
  workers: Number(options.workers),
}
const rounds = Number(options.rounds)
const cache = pathOf('../.cache/bench')
mkdirSync(cache, { recursive: true })

/** The values of the other types, from bytes. */
const SCALES: Readonly<Record<string, string>> = { uint16: 'x * 257', float32: 'x / 3' }

const bellis = (folder: string, ...args: string[]): Measured =>
  measureCommand(programs.python, folder, [programs.node, programs.bellis, ...args])

/** Makes the inputs, or takes those of an earlier run. */
function makeInputs(): { folder: string; inputs: Inputs; shape: number[] } {
  const source = options.input === undefined ? undefined : resolve(options.input)
  const name = source === undefined ? options.size.replaceAll(',', 'x') : source.replace(/\W+/g, '-')
  const folder = join(cache, `data-path-${name}-${options.dtype}`)
  const at = source === undefined ? -1 : source.search(/\.(hdf5?|h5)\//) + 1
  const suffix = source?.slice(at).split('/')[0] ?? 'hdf'
  const hdf = { file: `input.${suffix}`, dataset: source?.slice(at + suffix.length + 1) ?? 'volumes/raw' }
  const inputs: Inputs = {
    hdf,
    raw: 'raw.zarr/raw',
    mask: 'mask.zarr/mask',
    copies: Object.fromEntries(CODECS.map((codec) => [codec, `copies.zarr/${codec.replace(/:.*/, '')}`])),
  }
  if (!existsSync(folder)) {
    console.log(`making the inputs in ${folder} …`)
    const making = mkdtempSync(join(cache, 'making-'))
    if (source === undefined) bellis(making, 'sample', hdf.file, '--size', options.size, '--seed', '1', '--quiet')
    else symlinkSync(source.slice(0, at + suffix.length), join(making, hdf.file))
    const chunks = ['--chunk', '64,64,64', '--quiet']
    bellis(making, 'convert', `${hdf.file}/${hdf.dataset}`, 'bytes.zarr/raw', ...chunks)
    const scale = SCALES[options.dtype] ?? 'x'
    bellis(making, 'map', 'bytes.zarr/raw', inputs.raw, '--expr', scale, '--dtype', options.dtype, '--quiet')
    for (const [codec, path] of Object.entries(inputs.copies)) {
      bellis(making, 'convert', inputs.raw, path, '--codec', codec, ...chunks)
    }
    bellis(making, 'smooth', 'bytes.zarr/raw', 'smooth.zarr/raw', '--quiet')
    const { mean } = reductionOf(bellis(making, 'reduce', 'smooth.zarr/raw', '--json'))
    bellis(making, 'threshold', 'smooth.zarr/raw', inputs.mask, '--above', String(Math.floor(mean)), '--quiet')
    for (const path of ['bytes.zarr', 'smooth.zarr', '.bellis']) rmSync(join(making, path), { recursive: true })
    renameSync(making, folder)
  }
  const { shape } = JSON.parse(bellis(folder, 'info', inputs.raw, '--json').out) as { shape: number[] }
  return { folder, inputs, shape }
}

interface Reduction {
  readonly mean: number
  readonly histogram: { readonly counts: readonly number[] }
}

function reductionOf({ out }: Measured): Reduction {
  return (JSON.parse(out) as { reduction: Reduction }).reduction
}

/** What differs between the outputs of the last round. */
function differences(folder: string, row: Row, outputs: ReadonlyMap<Side, Measured>): number | undefined {
  const [peer] = row.peers
  if (row.compare === 'nothing' || peer === undefined) return undefined
  if (row.compare === 'counts') {
    const theirs = JSON.parse((outputs.get(peer) as Measured).out) as number[]
    const counts = reductionOf(outputs.get(row.ours) as Measured).histogram.counts
    return theirs.filter((count, bin) => count !== counts[bin]).length
  }
  const script = pathOf('peers/compare.py')
  return row.ours.arrays.reduce((sum, array, i) => {
    const command = [programs.python, script, row.compare, array, peer.arrays[i] as string]
    return sum + Number(measureCommand(programs.python, folder, command).out)
  }, 0)
}

function measureRow(folder: string, row: Row): RowFigures {
  const sides = [row.ours, ...row.peers]
  const all = new Map(sides.map((side) => [side, [] as Measured[]]))
  for (let round = 0; round < rounds; round++) {
    // The strongest peer last: its outputs are compared.
    for (const side of [row.ours, ...row.peers.toReversed()]) {
      all.get(side)?.push(measureSide(programs.python, folder, side))
    }
  }
  const last = new Map(sides.map((side) => [side, all.get(side)?.at(-1) as Measured]))
  const differing = differences(folder, row, last)
  const figures = (side: Side): SideFigures => {
    const measured = all.get(side) as Measured[]
    const peak = options.memory ? measureSide(programs.python, folder, side, true).peakMb : undefined
    return {
      name: side.name,
      cpu: measured.map(({ cpu }) => cpu),
      wall: measured.map(({ wall }) => wall),
      ...(peak === undefined ? {} : { peakMb: peak }),
    }
  }
  const { id, title, goal } = row
  return { id, title, goal, ours: figures(row.ours), peers: row.peers.map(figures), differing }
}

const { folder, inputs, shape } = makeInputs()
if (!hasPeers) console.log('No environment of peers; to compare, make it with: npm run bench -- --peers')
const only = options.only?.split(',')
const rows = tableRows(inputs, programs)
  .filter(({ id }) => only?.includes(id) ?? true)
  // Counts of bytes.
  .filter(({ id }) => options.dtype === 'uint8' || !['convert', 'map', 'reduce', 'label'].includes(id))
  .map((row) => ({ ...row, peers: hasPeers ? row.peers.slice(0, options.strongest ? 1 : undefined) : [] }))
const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, Node ${process.versions.node}`
const source = options.input === undefined ? 'synthetic tissue' : basename(options.input)
console.log(
  `${shape.join(' × ')} ${options.dtype}, ${source}; ${programs.workers} workers; medians of ${rounds}; ${machine}`,
)
console.log(`seconds of processors / elapsed; the CPU ratio to the strongest peer\n\n${TABLE_HEAD}`)
const measured: RowFigures[] = []
for (const row of rows) {
  const figures = measureRow(folder, row)
  measured.push(figures)
  console.log(tableLine(figures))
  if (figures.differing !== undefined && figures.differing > 0) process.exitCode = 1
  if (options.report !== undefined) writeReport(options.report)
}
for (const path of ['ours.zarr', 'theirs', '.bellis']) rmSync(join(folder, path), { recursive: true, force: true })

function writeReport(path: string): void {
  const report: Report = {
    date: new Date().toISOString().slice(0, 10),
    shape,
    dtype: options.dtype,
    workers: programs.workers,
    rounds,
    machine,
    rows: measured,
  }
  writeFileSync(path, `${JSON.stringify(report, undefined, 2)}\n`)
}
