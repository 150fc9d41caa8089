import zlib from 'node:zlib'

const part = (kind: string, data: Uint8Array): Buffer => {
  const body = Buffer.concat([Buffer.from(kind, 'latin1'), data])
  const ends = Buffer.alloc(8)
  ends.writeUInt32BE(data.length, 0)
  ends.writeUInt32BE(zlib.crc32(body), 4)
  return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)])
}

interface PngImage {
  readonly width: number
  readonly height: number
  /** Bits of a sample. @default 8 */
  readonly depth?: number
  /** The type of its colours. @default 0: grey */
  readonly colour?: number
  /** The data of the IDAT chunks. */
  readonly data: readonly Uint8Array[]
  /** Chunks before them, by their names. */
  readonly others?: Readonly<Record<string, Uint8Array>>
}

/** The bytes of a PNG image. */
export function pngBytes({ width, height, depth = 8, colour = 0, data, others = {} }: PngImage): Buffer {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header[8] = depth
  header[9] = colour
  return Buffer.concat([
    Buffer.from('\u0089PNG\r\n\u001a\n', 'latin1'),
    part('IHDR', header),
    ...Object.entries(others).map(([kind, bytes]) => part(kind, bytes)),
    ...data.map((bytes) => part('IDAT', bytes)),
    part('IEND', Buffer.alloc(0)),
  ])
}
