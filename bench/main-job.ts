// The main job, end to end: HDF5 → Zarr and Gaussian smoothing Zarr → Zarr, in MB of voxels per second, beside a plain copy of
// the same bytes. Seeded. Run after a build: node bench/main-job.ts [z,y,x]
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const size = (process.argv[2] ?? '128,768,768').split(',').map(Number)
const program = fileURLToPath(new URL('../bin/bellis.js', import.meta.url))
const cache = fileURLToPath(new URL('../.cache/bench/', import.meta.url))
const bytes = size.reduce((product, length) => product * length, 1)
const sample = join(cache, `sample-${size.join('x')}.hdf`)

mkdirSync(cache, { recursive: true })
const folder = mkdtempSync(join(cache, 'run-'))
try {
  if (!existsSync(sample)) bellis('sample', sample, '--size', size.join(','), '--seed', '1')
  const plain = join(folder, 'plain')
  writeFileSync(
    plain,
    new Uint8Array(bytes).map((_, i) => (i * 2654435761) >>> 24),
  )
  const rate = (seconds: number) => bytes / seconds / 1e6
  const copy = best(3, () => writeFileSync(`${plain}.copy`, readFileSync(plain)))
  console.log(`${size.join(' × ')} uint8, ${(bytes / 1e6).toFixed(0)} MB; complete commands, start included`)
  row('plain copy of the bytes', copy)
  for (const workers of [1, 2]) {
    row(
      `convert gzip HDF5 → zstd:3 Zarr, ${workers} workers`,
      best(2, () => convert(workers, 'zstd:3')),
    )
    row(
      `convert gzip HDF5 → raw Zarr, ${workers} workers`,
      best(2, () => convert(workers, 'raw')),
    )
  }
  convert(2, 'zstd:3')
  for (const workers of [1, 2]) {
    row(
      `smooth sigma 2, ${workers} workers`,
      best(2, () =>
        bellis(
          'smooth',
          'a.zarr/raw',
          'a.zarr/smooth',
          '--sigma',
          '2',
          '--workers',
          String(workers),
          '--overwrite',
          '--yes',
        ),
      ),
    )
  }
  function row(what: string, seconds: number): void {
    console.log(
      `${what.padEnd(50)} ${seconds.toFixed(2).padStart(7)} s ${rate(seconds).toFixed(0).padStart(6)} MB/s  ${(copy / seconds).toFixed(3)} of the copy`,
    )
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function convert(workers: number, codec: string): void {
  bellis(
    'convert',
    `${sample}/volumes/raw`,
    'a.zarr/raw',
    '--codec',
    codec,
    '--workers',
    String(workers),
    '--overwrite',
    '--yes',
  )
}

function bellis(...args: string[]): void {
  execFileSync(process.execPath, [program, ...args, '--quiet'], { cwd: folder, stdio: 'inherit' })
}

/** The fastest of several runs, in seconds. */
function best(runs: number, work: () => void): number {
  const times = Array.from({ length: runs }, () => {
    const start = performance.now()
    work()
    return (performance.now() - start) / 1000
  })
  return Math.min(...times)
}
