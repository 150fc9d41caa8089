/** Values of one number by their tags. */
export type TiffFields = Readonly<Record<number, number>>

/** The bytes of a little-endian TIFF file. Unless its fields say otherwise, an image is 4 × 3 bytes in one strip. */
export function tiffBytes(
  images: readonly { readonly fields: TiffFields; readonly data: Uint8Array; readonly description?: string }[],
): Buffer {
  const parts: Buffer[] = [Buffer.from('II*\0\u0008\0\0\0', 'latin1')]
  let at = 8
  for (const [number, { fields, data, description }] of images.entries()) {
    const text = Buffer.from(description === undefined ? '' : `${description}\0`, 'utf8')
    const all: Record<number, number> = {
      ...{ 256: 4, 257: 3, 258: 8, 259: 1, 262: 1, 273: 0, 277: 1, 278: 3, 279: data.length },
      ...(text.length === 0 ? {} : { 270: 0 }),
      ...fields,
    }
    const tags = Object.keys(all).map(Number)
    const length = 2 + 12 * tags.length + 4
    all[273] = at + length + text.length
    const directory = Buffer.alloc(length)
    directory.writeUInt16LE(tags.length, 0)
    for (const [i, tag] of tags.entries()) {
      const isText = tag === 270
      directory.writeUInt16LE(tag, 2 + 12 * i)
      directory.writeUInt16LE(isText ? 2 : 4, 4 + 12 * i)
      directory.writeUInt32LE(isText ? text.length : 1, 6 + 12 * i)
      directory.writeUInt32LE(isText ? at + length : (all[tag] as number), 10 + 12 * i)
    }
    at += length + text.length + data.length
    directory.writeUInt32LE(number + 1 < images.length ? at : 0, length - 4)
    parts.push(directory, text, Buffer.from(data))
  }
  return Buffer.concat(parts)
}
