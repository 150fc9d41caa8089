import { closeSync, existsSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe } from 'node:test'
import { fuzzTarget } from '../support/fuzz/fuzz-target.ts'

const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'bellis-fuzz-hdf5-'))
after(() => rmSync(folder, { recursive: true }))

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
        const fd = openSync(path, 'r')
        try {
          const block = header.readSuperblock(fd, input.length - 2)
          if (block === undefined) return
          const messages = header.readObjectHeader(fd, block, (input[0] ?? 0) + 256 * (input[1] ?? 0))
          header.fillValueBytes(fd, block, messages)
          header.externalParts(fd, block, messages)
          virtualMappings(fd, block, messages)
          const type = header.findMessage(fd, block, messages, header.MESSAGE.datatype)
          if (type !== undefined) header.parseStoredType(type.data)
        } finally {
          closeSync(fd)
        }
      }
    },
  })
})
