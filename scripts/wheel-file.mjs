// A wheel of Python: a zip file with a list of its files. The same files give the same bytes.
import { createHash } from 'node:crypto'
import { crc32, deflateRawSync } from 'node:zlib'

/** 1980-01-01, the earliest that a zip file can name. */
const DATE = 0x0021
const UTF8 = 0x0800
const DEFLATED = 8

/**
 * @param name of the distribution, as in the file's name: `bellis-0.1.0`
 * @param files their contents by path, with those of `<name>.dist-info` but RECORD
 * @returns the bytes of the wheel
 */
export function wheelFile(name, files) {
  const record = `${name}.dist-info/RECORD`
  const lines = [...files].map(([path, bytes]) => {
    const digest = createHash('sha256').update(bytes).digest('base64url')
    return `${path},sha256=${digest},${bytes.length}\n`
  })
  return zipFile(new Map([...files, [record, Buffer.from(`${lines.join('')}${record},,\n`)]]))
}

/** @see https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT */
function zipFile(files) {
  const parts = []
  const directory = []
  let offset = 0
  for (const [path, bytes] of files) {
    const name = Buffer.from(path)
    const packed = deflateRawSync(bytes, { level: 9 })
    const common = Buffer.alloc(26)
    common.writeUInt16LE(20, 0)
    common.writeUInt16LE(UTF8, 2)
    common.writeUInt16LE(DEFLATED, 4)
    common.writeUInt16LE(0, 6)
    common.writeUInt16LE(DATE, 8)
    common.writeUInt32LE(crc32(bytes), 10)
    common.writeUInt32LE(packed.length, 14)
    common.writeUInt32LE(bytes.length, 18)
    common.writeUInt16LE(name.length, 22)
    const entry = Buffer.alloc(14)
    // A regular file, mode 0644.
    entry.writeUInt32LE((0o100644 << 16) >>> 0, 6)
    entry.writeUInt32LE(offset, 10)
    // 3 in the upper byte of "version made by": a Unix system, which has modes.
    directory.push(Buffer.from('PK\x01\x02\x14\x03', 'latin1'), common, entry, name)
    const local = [Buffer.from('PK\x03\x04', 'latin1'), common, name, packed]
    parts.push(...local)
    offset += local.reduce((sum, part) => sum + part.length, 0)
  }
  const index = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 'latin1')
  end.writeUInt16LE(files.size, 8)
  end.writeUInt16LE(files.size, 10)
  end.writeUInt32LE(index.length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...parts, index, end])
}
