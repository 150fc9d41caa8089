import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import zlib from 'node:zlib'

/** The bytes of a zip file. @param isDeflated whether its files are compressed */
export function zipBytes(files: Readonly<Record<string, Uint8Array>>, isDeflated = false): Buffer {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const [name, content] of Object.entries(files)) {
    const stored = isDeflated ? zlib.deflateRawSync(content) : Buffer.from(content)
    const entry = Buffer.alloc(46)
    entry.writeUInt32LE(0x02014b50, 0)
    entry.writeUInt16LE(20, 6)
    entry.writeUInt16LE(isDeflated ? 8 : 0, 10)
    entry.writeUInt32LE(zlib.crc32(content), 16)
    entry.writeUInt32LE(stored.length, 20)
    entry.writeUInt32LE(content.length, 24)
    entry.writeUInt16LE(Buffer.byteLength(name), 28)
    entry.writeUInt32LE(offset, 42)
    directory.push(entry, Buffer.from(name))
    const header = Buffer.alloc(30)
    header.writeUInt32LE(0x04034b50, 0)
    entry.copy(header, 4, 6, 32)
    parts.push(header, Buffer.from(name), stored)
    offset += header.length + Buffer.byteLength(name) + stored.length
  }
  const end = Buffer.alloc(22)
  const listed = Buffer.concat(directory)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(directory.length / 2, 8)
  end.writeUInt16LE(directory.length / 2, 10)
  end.writeUInt32LE(listed.length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...parts, listed, end])
}

/** Puts all files of a folder into a zip file. */
export function zipFolder(folder: string, path: string, isDeflated = false): void {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()
  const paths = names.map((name) => join(folder, name)).filter((file) => statSync(file).isFile())
  const files = Object.fromEntries(paths.map((file) => [relative(folder, file), readFileSync(file)]))
  writeFileSync(path, zipBytes(files, isDeflated))
}
