import { CodecError } from '../codecs/codec.ts'
import { type Frame, isComplete, type JpegImage, readFrame, readScan, Tables } from './frame.ts'
import { ScanBits } from './huffman.ts'
import { pixelsOf } from './pixels.ts'

/**
 * Decodes a JPEG image of 8 bits, sequential or progressive.
 * @param check refuses an image of another size before memory is allocated for it
 * @returns its samples, those of a pixel beside each other: exactly those of the reference library
 * @throws CodecError, and what `check` throws
 */
export function decodeJpeg(bytes: Uint8Array, check: (image: JpegImage) => void): Uint8Array {
  const tables = new Tables()
  let frame: Frame | undefined
  let interval = 0
  let transform: number | undefined
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) throw new CodecError('it is no JPEG image')
  for (let at = 2; ; ) {
    while (bytes[at] === 0xff && bytes[at + 1] === 0xff) at++
    const marker = bytes[at + 1]
    if (bytes[at] === 0xff && marker === 0xd9) throw new CodecError('its image ends before all of it was there')
    const length = ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)
    const segment = bytes.subarray(at + 4, at + 2 + length)
    if (bytes[at] !== 0xff || marker === undefined || length < 2 || segment.length < length - 2) {
      throw new CodecError('its image is truncated')
    }
    at += 2 + length
    if (marker === 0xdb) tables.addQuantization(segment)
    else if (marker === 0xc4) tables.addHuffman(segment)
    else if (marker >= 0xc0 && marker <= 0xc2) {
      if (frame !== undefined) throw new CodecError('its image has two sizes')
      frame = readFrame(segment, marker === 0xc2, check)
    } else if (marker === 0xdd) interval = ((segment[0] ?? 0) << 8) | (segment[1] ?? 0)
    else if (marker === 0xee && Buffer.from(segment).toString('latin1', 0, 5) === 'Adobe') transform = segment[11]
    else if (marker === 0xda) {
      if (frame === undefined) throw new CodecError('its image has no size')
      const bits = new ScanBits(bytes, at)
      readScan(segment, frame, tables, interval, bits)
      if (isComplete(frame)) return pixelsOf(frame, transform)
      at = bits.end
    } else if (marker >= 0xc3 && marker <= 0xcf) {
      throw new CodecError('its image is an unusual JPEG (lossless, hierarchical or arithmetic), which is not read')
    }
  }
}
