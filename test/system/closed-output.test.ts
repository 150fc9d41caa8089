import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createArray, openArray } from '../../src/entry/arrays.ts'
import { program, temporaryFolder } from '../support/command-line.ts'

describe('a run whose output nobody reads any more', () => {
  for (const stream of ['stderr', 'stdout'] as const) {
    it(`goes on to its end: ${stream}`, async () => {
      using folder = temporaryFolder()
      const input = join(folder.path, 'in.zarr/raw')
      const array = await createArray(input, { shape: [8, 64, 64], dtype: 'uint8', chunkShape: [8, 16, 16] })
      await array.write(array.roi, new Uint8Array(8 * 64 * 64).fill(7))
      await array.close()
      const args = [
        program,
        'convert',
        input,
        join(folder.path, 'out.zarr/raw'),
        '--workers',
        '1',
        '--chunk',
        '8,16,16',
      ]
      const child = spawn(process.execPath, args, { cwd: folder.path, stdio: ['ignore', 'pipe', 'pipe'] })
      child[stream].destroy()
      child[stream === 'stderr' ? 'stdout' : 'stderr'].resume()
      const [code] = await once(child, 'close')
      assert.equal(code, 0)
      const output = await openArray(join(folder.path, 'out.zarr/raw'))
      assert.deepEqual(await output.countStoredChunks?.(), { stored: 16, total: 16 })
      await output.close()
    })
  }
})
