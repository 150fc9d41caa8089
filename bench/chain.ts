// One run with a chain of two Gaussians against two runs in sequence, 2 workers: seconds of complete commands, start included.
// Seeded. Run after a build: node bench/chain.ts [z,y,x]
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const size = process.argv[2] ?? '64,512,512'
const program = fileURLToPath(new URL('../bin/bellis.js', import.meta.url))
const chain = fileURLToPath(new URL('../examples/chain.ts', import.meta.url))
const cache = fileURLToPath(new URL('../.cache/bench/', import.meta.url))
const sample = join(cache, `sample-${size.replaceAll(',', 'x')}.hdf`)
const ROUNDS = 5

mkdirSync(cache, { recursive: true })
const folder = mkdtempSync(join(cache, 'chain-'))
try {
  if (!existsSync(sample)) bellis('sample', sample, '--size', size, '--seed', '1')
  bellis('convert', `${sample}/volumes/raw`, 'raw.zarr/raw', '--workers', '2')
  const config = ['--sigma', '2', '--workers', '2', '--overwrite', '--yes']
  const one = (from: string, to: string) => bellis('smooth', from, to, ...config)
  const chained: number[] = []
  const separate: number[] = []
  // Alternating, so that other load on the machine affects both.
  for (let round = 0; round < ROUNDS; round++) {
    chained.push(seconds(() => bellis('run', chain, '--input', 'raw.zarr/raw', '--output', 'chain.zarr', ...config)))
    separate.push(
      seconds(() => {
        one('raw.zarr/raw', 'separate.zarr/once')
        one('separate.zarr/once', 'separate.zarr/twice')
      }),
    )
  }
  console.log(`${size.replaceAll(',', ' × ')} uint8, sigma 2 twice, 2 workers, medians of ${ROUNDS}`)
  console.log(`two runs in sequence           ${median(separate).toFixed(2)} s`)
  console.log(`one run with a chain           ${median(chained).toFixed(2)} s`)
  console.log(`the chain takes ${((100 * median(chained)) / median(separate)).toFixed(0)} % of the time`)
  if (median(chained) >= median(separate)) process.exitCode = 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function bellis(...args: string[]): void {
  execFileSync(process.execPath, [program, ...args, '--quiet'], { cwd: folder, stdio: 'inherit' })
}

function seconds(work: () => void): number {
  const start = performance.now()
  work()
  return (performance.now() - start) / 1000
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] as number
}
