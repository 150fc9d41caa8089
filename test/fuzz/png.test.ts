import { describe } from 'node:test'
import zlib from 'node:zlib'
import { fuzzTarget } from '../support/fuzz/fuzz-target.ts'

/** An image of 4 × 3 pixels, every filter once. @param depth bits of a sample */
function png(depth: number, colour: number, samples: number): Buffer {
  const rows = Buffer.from(
    Array.from({ length: 5 }, (_, y) => [y, ...new Array((4 * samples * depth) / 8).fill(y * 40)]).flat(),
  )
  const header = Buffer.from([0, 0, 0, 4, 0, 0, 0, 5, depth, colour, 0, 0, 0])
  const part = (kind: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(kind, 'latin1'), data])
    const ends = Buffer.alloc(8)
    ends.writeUInt32BE(data.length, 0)
    ends.writeUInt32BE(zlib.crc32(body), 4)
    return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)])
  }
  const parts = [part('IHDR', header), part('IDAT', zlib.deflateSync(rows)), part('IEND', Buffer.alloc(0))]
  return Buffer.concat([Buffer.from('\u0089PNG\r\n\u001a\n', 'latin1'), ...parts])
}

describe('PNG images', () => {
  fuzzTarget('png-images', {
    kind: 'bytes',
    seeds: [png(8, 0, 1), png(16, 2, 3), png(8, 6, 4)],
    dictionary: ['IDAT', 'IEND', Uint8Array.of(0, 0, 255, 255)],
    codes: ['INVALID_METADATA', 'UNSUPPORTED', 'CORRUPT_DATA'],
    async load() {
      const { decodePng, pngHeader } = await import('../../src/adapters/png/png-file.ts')
      return (input) => {
        const bytes = Buffer.from(input)
        const header = pngHeader('f', bytes)
        // A size that is only claimed is refused by what the pixels decode to.
        if (header.width * header.height < 2 ** 20) decodePng('f', bytes, header)
      }
    },
  })
})
