import { withBytes } from '../ranges/absent-bytes.ts'
import { damaged, type TiffFile } from './tiff-file.ts'

/** Bytes of a value of each type: https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf and BigTIFF. */
const TYPE_BYTES: Readonly<Record<number, number>> = {
  1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8,
} // biome-ignore format: a table

/** The tags that are read. */
export const TAG = {
  width: 256, height: 257, bitsPerSample: 258, compression: 259, photometric: 262, description: 270, stripOffsets: 273,
  samplesPerPixel: 277, rowsPerStrip: 278, stripByteCounts: 279, xResolution: 282, yResolution: 283, planar: 284, software: 305,
  predictor: 317, tileWidth: 322, tileHeight: 323, tileOffsets: 324, tileByteCounts: 325, sampleFormat: 339,
  imageDepth: 32997, metaMorphPlanes: 33629, noData: 42113,
} // biome-ignore format: a table
const READ = new Set<number>(Object.values(TAG))

/** Directories of one file: more are taken for a loop. */
const MOST_DIRECTORIES = 1_000_000
const MOST_ENTRIES = 4096
/** Text of a description: OME's grows with the number of planes. */
const MOST_TEXT_BYTES = 2 ** 26
/** Strips or tiles of one image, and bytes of all such lists that are kept. */
const MOST_PARTS = 2 ** 22

/** A field of a directory: numbers are read when they are asked for, since a stack has thousands of directories. */
interface Field {
  readonly type: number
  readonly count: number
  /** Where its values are in the file. */
  readonly at: number
  /** The values, if they are in the directory itself. */
  readonly inline: Buffer | undefined
}

/** The description of one image. */
export class Directory {
  readonly #file: TiffFile
  readonly #fields: ReadonlyMap<number, Field>

  constructor(file: TiffFile, fields: ReadonlyMap<number, Field>) {
    this.#file = file
    this.#fields = fields
  }

  has(tag: number): boolean {
    return this.#fields.has(tag)
  }

  /** How many values a field has; 0 if it is missing. */
  count(tag: number): number {
    return this.#fields.get(tag)?.count ?? 0
  }

  /** @throws ConfigError `INVALID_METADATA` */
  number(tag: number, otherwise?: number): number {
    const [value = otherwise] = this.numbers(tag, 1)
    if (value === undefined) throw damaged(this.#file.path, `has an image without the field ${tag}`)
    return value
  }

  /** The first values of a field, at most `limit`; none if it is missing. */
  numbers(tag: number, limit = MOST_PARTS): number[] {
    const field = this.#fields.get(tag)
    if (field === undefined) return []
    const size = TYPE_BYTES[field.type] as number
    const count = Math.min(field.count, limit)
    const bytes = field.inline ?? this.#file.bytes(field.at, count * size)
    return Array.from({ length: count }, (_, i) => this.#value(field.type, bytes, i * size))
  }

  /** A fraction of two whole numbers; undefined if it is missing. */
  rational(tag: number): readonly [number, number] | undefined {
    const field = this.#fields.get(tag)
    if (field === undefined || field.type !== 5 || field.count < 1) return undefined
    const bytes = this.#file.bytes(field.at, 8)
    return [this.#file.long(bytes, 0), this.#file.long(bytes, 4)]
  }

  /** Text up to its first NUL, as UTF-8 if it is that; '' if it is missing. */
  text(tag: number): string {
    const field = this.#fields.get(tag)
    if (field === undefined || TYPE_BYTES[field.type] !== 1) return ''
    const length = Math.min(field.count, MOST_TEXT_BYTES)
    const bytes = field.inline?.subarray(0, length) ?? this.#file.bytes(field.at, length)
    const end = bytes.indexOf(0)
    const text = end < 0 ? bytes : bytes.subarray(0, end)
    const utf8 = text.toString('utf8')
    return utf8.includes('\ufffd') ? text.toString('latin1') : utf8
  }

  #value(type: number, bytes: Buffer, at: number): number {
    const size = TYPE_BYTES[type]
    if (size === 1) return bytes[at] as number
    if (size === 2) return this.#file.short(bytes, at)
    return size === 4 ? this.#file.long(bytes, at) : this.#file.long8(bytes, at)
  }
}

/**
 * The directories of a file, one per image, in their order.
 * @throws ConfigError `INVALID_METADATA`
 */
export async function readDirectories(file: TiffFile): Promise<Directory[]> {
  const directories: Directory[] = []
  const seen = new Set<number>()
  let bytes = 0
  for (let at = file.first; at !== 0; ) {
    if (seen.has(at) || seen.size >= MOST_DIRECTORIES) throw damaged(file.path, 'has a chain of images without an end')
    seen.add(at)
    const place = at
    const { directory, next, byteLength } = await directoryAt(file, place)
    // Those that overlap could be read again and again.
    bytes += byteLength
    if (bytes > file.byteLength) throw damaged(file.path, 'has descriptions of images that overlap')
    directories.push(directory)
    at = next
  }
  if (directories.length === 0) throw damaged(file.path, 'contains no image')
  return directories
}

/** Each by itself: what was fetched for one is not needed for the next. */
const directoryAt = (file: TiffFile, at: number) =>
  file.isRemote ? withBytes(() => readDirectory(file, at)) : readDirectory(file, at)

function readDirectory(file: TiffFile, at: number): { directory: Directory; next: number; byteLength: number } {
  const { isBig } = file
  const head = file.bytes(at, isBig ? 8 : 2)
  const count = isBig ? file.long8(head, 0) : file.short(head, 0)
  if (!(count > 0 && count <= MOST_ENTRIES)) throw damaged(file.path, `has a directory of ${count} fields`)
  const size = isBig ? 20 : 12
  const entries = file.bytes(at + head.length, count * size + (isBig ? 8 : 4))
  const fields = new Map<number, Field>()
  for (let i = 0; i < count; i++) {
    const tag = file.short(entries, i * size)
    const type = file.short(entries, i * size + 2)
    const perValue = TYPE_BYTES[type]
    if (!READ.has(tag) || perValue === undefined) continue
    const values = isBig ? file.long8(entries, i * size + 4) : file.long(entries, i * size + 4)
    const value = entries.subarray(i * size + (isBig ? 12 : 8), (i + 1) * size)
    const isInline = values * perValue <= value.length
    const place = isBig ? file.long8(value, 0) : file.long(value, 0)
    fields.set(tag, { type, count: values, at: place, inline: isInline ? value : undefined })
  }
  const next = isBig ? file.long8(entries, count * size) : file.long(entries, count * size)
  return { directory: new Directory(file, fields), next, byteLength: head.length + entries.length }
}
