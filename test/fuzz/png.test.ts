import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe } from 'node:test'
import zlib from 'node:zlib'
import { fuzzTarget } from '../support/fuzz/fuzz-target.ts'
import { pngBytes } from '../support/png-files.ts'

const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'bellis-fuzz-png-'))
after(() => rmSync(folder, { recursive: true }))

/** An image of 4 × 5 pixels, every filter once. @param depth bits of a sample */
function png(depth: number, colour: number, samples: number): Buffer {
  const rows = Buffer.from(
    Array.from({ length: 5 }, (_, y) => [y, ...new Array((4 * samples * depth) / 8).fill(y * 40)]).flat(),
  )
  return pngBytes({ width: 4, height: 5, depth, colour, data: [zlib.deflateSync(rows)] })
}

describe('PNG images', () => {
  fuzzTarget('png-images', {
    kind: 'bytes',
    seeds: [png(8, 0, 1), png(16, 2, 3), png(8, 6, 4)],
    dictionary: ['IDAT', 'IEND', Uint8Array.of(0, 0, 255, 255)],
    codes: ['INVALID_METADATA', 'UNSUPPORTED', 'CORRUPT_DATA'],
    async load() {
      const { readHeader, readPixels } = await import('../../src/adapters/png/png-file.ts')
      const path = join(folder, 'a.png')
      return (input) => {
        writeFileSync(path, input)
        const header = readHeader(path)
        // A size that is only claimed is refused by what the pixels decode to.
        if (header.width * header.height < 2 ** 20) readPixels(path, header)
      }
    },
  })
})
