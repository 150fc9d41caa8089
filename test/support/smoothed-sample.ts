import assert from 'node:assert/strict'
import { join } from 'node:path'
import { before } from 'node:test'
import { bellis, temporaryFolder } from './command-line.ts'

/** SHA-256 of the result of SciPy's gaussian_filter(sigma=2, mode='constant') for the sample of {@link sampleForAll}. */
export const SMOOTHED = '127f6960c451b1fda2914cc9ccab5f16699f354d26a8b2b2e7456bf8bcedffca'

/**
 * Makes a sample for all tests of a file before the first test: seed 7, 32 × 192 × 192 voxels.
 * @returns its future path
 */
export function sampleForAll(): string {
  const folder = temporaryFolder()
  process.on('exit', () => folder[Symbol.dispose]())
  before(async () => {
    const size = ['--size', '32,192,192', '--seed', '7']
    const { code, stderr } = await bellis(['sample', 'sample.hdf', ...size, '--quiet'], { cwd: folder.path })
    assert.equal(code, 0, stderr)
  })
  return join(folder.path, 'sample.hdf/volumes/raw')
}
