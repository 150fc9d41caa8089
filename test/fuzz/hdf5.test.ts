import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe } from 'node:test'
import { localBytes } from '../../src/adapters/files/local-bytes.ts'
import { lookup3 } from '../../src/adapters/hdf5/chunks/lookup3.ts'
import { fuzzTarget } from '../support/fuzz/fuzz-target.ts'

const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'bellis-fuzz-hdf5-'))
after(() => rmSync(folder, { recursive: true }))

/** A leaf with two chunks. */
function treeOfChunks(): Uint8Array {
  const bytes = Buffer.alloc(1 + 24 + 3 * 32 + 2 * 8)
  bytes.write('TREE', 1)
  bytes.set([1, 0, 2, 0], 5)
  bytes[25 + 40 + 8] = 6
  return bytes
}

/** A header of a kind of index, with its checksum: entries of 14 bytes, then whatever its numbers give. */
function headerOf(kind: number, signature: string, length: number): Uint8Array {
  const bytes = Buffer.alloc(1 + length + 8)
  bytes[0] = kind
  bytes.write(signature, 1)
  bytes.set([0, kind === 1 ? 11 : 1, 14, kind === 3 ? 2 : 10, 4, 4, 4, 2], 5)
  bytes.writeUInt32LE(lookup3(bytes.subarray(1, 1 + length)), 1 + length)
  return bytes
}

describe('HDF5', () => {
  // The first two bytes are the address of the header.
  fuzzTarget('hdf5-headers', {
    kind: 'bytes',
    seeds: [],
    dictionary: ['OHDR', 'OCHK', '\u0089HDF\r\n\u001a\n', Uint8Array.of(0x10, 0, 0x10, 0), Uint8Array.of(7, 0, 40, 0)],
    maxLength: 9000,
    // The file that has it is named where it is opened.
    codes: [],
    isRefusal: (error) => error instanceof Error && error.constructor.name === 'DamagedHeader',
    async load() {
      const header = await import('../../src/adapters/hdf5/object-header.ts')
      const { virtualMappings } = await import('../../src/adapters/hdf5/virtual-mappings.ts')
      const path = join(folder, 'header')
      return (input) => {
        writeFileSync(path, input.subarray(2))
        const file = localBytes(path)
        try {
          const block = header.readSuperblock(file)
          if (block === undefined) return
          const messages = header.readObjectHeader(file, block, (input[0] ?? 0) + 256 * (input[1] ?? 0))
          header.fillValueBytes(file, block, messages)
          header.externalParts(file, block, messages)
          virtualMappings(file, block, messages)
          const type = header.findMessage(file, block, messages, header.MESSAGE.datatype)
          if (type !== undefined) header.parseStoredType(type.data)
        } finally {
          file[Symbol.dispose]()
        }
      }
    },
  })

  // The first byte selects the layout, the rest is the file that has the index, from its first byte on.
  fuzzTarget('hdf5-chunk-index', {
    kind: 'bytes',
    seeds: [treeOfChunks(), headerOf(1, 'BTHD', 26), headerOf(2, 'EAHD', 68), headerOf(3, 'FAHD', 24)],
    dictionary: [
      'TREE',
      'BTHD',
      'BTLF',
      'BTIN',
      'FAHD',
      'FADB',
      'EAHD',
      'EAIB',
      'EADB',
      'EASB',
      Uint8Array.of(1, 0, 2, 0),
    ],
    maxLength: 4000,
    codes: [],
    isRefusal: (error) => error instanceof Error && error.constructor.name === 'DamagedHeader',
    async load() {
      const { chunkIndex } = await import('../../src/adapters/hdf5/chunks/chunk-index.ts')
      const { IndexBlocks } = await import('../../src/adapters/hdf5/chunks/index-blocks.ts')
      const path = join(folder, 'index')
      const kinds = ['btree-1', 'btree-2', 'extensible-array', 'fixed-array'] as const
      return (input) => {
        writeFileSync(path, input.subarray(1))
        const kind = kinds[(input[0] ?? 0) % kinds.length] ?? 'btree-1'
        const mostChunks = kind === 'fixed-array' ? [9, 7] : [Number.POSITIVE_INFINITY, 7]
        const file = localBytes(path)
        try {
          const block = { base: 0, offsetSize: 8, lengthSize: 8, endOfFile: input.length - 1, size: input.length - 1 }
          const layout = { chunkShape: [2, 3], elementBytes: 2, address: 0, mostChunks, hasPlainEdges: false }
          const find = chunkIndex({ ...layout, index: { kind, pageBits: 2 } }, new IndexBlocks(file, block))
          for (const place of [
            [0, 0],
            [3, 2],
            [2 ** 20, 6],
          ])
            find(place)
        } finally {
          file[Symbol.dispose]()
        }
      }
    },
  })
})
