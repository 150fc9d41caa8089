import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { FilePace } from '../../../../src/adapters/zarr/files/file-pace.ts'
import { InsideContainer } from '../../../../src/adapters/zarr/files/inside-container.ts'
import { readFile } from '../../../../src/adapters/zarr/files/read-file.ts'
import { joinNeighbours, replaceFile } from '../../../../src/adapters/zarr/files/replace-file.ts'
import { temporaryFolder } from '../../../support/command-line.ts'

function slowPace(): FilePace {
  const pace = new FilePace()
  for (let call = 0; call < 32; call++) pace.note(1000, 0)
  return pace
}

const PACES = { 'at once': () => new FilePace(), 'by threads': slowPace } as const
const memory = (size: number) => new Uint8Array(size)

for (const [how, paceOf] of Object.entries(PACES)) {
  describe(`files whose calls are made ${how}`, () => {
    it('are read once for each of their versions', async () => {
      using folder = temporaryFolder()
      const path = join(folder.path, 'c')
      const pace = paceOf()
      const reading = { inside: new InsideContainer(folder.path, '', pace), pace }
      const read = (known?: string) => readFile(path, reading, { known, atMost: 100, memory })
      assert.equal(await read(), undefined)
      writeFileSync(path, 'abc')
      const first = await read()
      assert.ok(typeof first === 'object')
      assert.deepEqual(first.bytes, Uint8Array.from([97, 98, 99]))
      assert.equal(await read(first.version), 'same')
      await replaceFile(path, [Buffer.from('d'), Buffer.from('ef')], { fsync: false, guard: () => {}, pace: paceOf() })
      const second = await read(first.version)
      assert.ok(typeof second === 'object')
      assert.deepEqual(Buffer.from(second.bytes).toString(), 'def')
    })

    it('are not read if they are too large, are folders, or lie elsewhere', async () => {
      using folder = temporaryFolder()
      using outside = temporaryFolder()
      mkdirSync(join(folder.path, 'folder'))
      writeFileSync(join(folder.path, 'large'), 'abc')
      writeFileSync(join(outside.path, 'secret'), 'abc')
      symlinkSync(join(outside.path, 'secret'), join(folder.path, 'link'))
      symlinkSync('large', join(folder.path, 'own'))
      const pace = paceOf()
      const reading = { inside: new InsideContainer(folder.path, '', pace), pace }
      const read = (name: string, atMost = 100) => readFile(join(folder.path, name), reading, { atMost, memory })
      // The first read of a folder looks at the folder, too.
      for (let time = 0; time < 2; time++) {
        await assert.rejects(read('large', 2), { code: 'CORRUPT_DATA', message: /it has 3 bytes, and at most 2/ })
        await assert.rejects(read('folder', 2 ** 20), { code: 'IO_ERROR' })
        await assert.rejects(read('link'), { code: 'IO_ERROR', message: /leads out of its container/ })
        assert.equal(typeof (await read('own')), 'object')
      }
    })

    it('D1, R5: keep their content, and leave nothing behind, if they may not be replaced', async () => {
      using folder = temporaryFolder()
      const path = join(folder.path, 'a', 'c')
      const write = (text: string, guard: () => void) =>
        replaceFile(path, [Buffer.from(text)], { fsync: false, guard, pace: paceOf() })
      const refuse = () => {
        throw new Error('not ours')
      }
      await assert.rejects(write('abc', refuse), /not ours/)
      assert.deepEqual(readdirSync(folder.path), [])
      await write('abc', () => {})
      await assert.rejects(write('def', refuse), /not ours/)
      assert.equal(readFileSync(path, 'utf8'), 'abc')
      assert.deepEqual(readdirSync(join(folder.path, 'a')), ['c'])
    })
  })
}

describe('the pieces of a file', () => {
  it('have the bytes of its parts, and parts that lie behind each other in memory are one piece', () => {
    const anyPart = fc.record({ memory: fc.nat(2), skipped: fc.nat(2), length: fc.nat(3) })
    fc.assert(
      fc.property(fc.array(anyPart), (wanted) => {
        const memories = [0, 1, 2].map((number) => Uint8Array.from({ length: 100 }, (_, i) => number * 100 + i))
        const used = [0, 0, 0]
        let breaks = 0
        const parts = wanted.slice(0, 20).map(({ memory, skipped, length }, i) => {
          if (i === 0 || skipped > 0 || memory !== wanted[i - 1]?.memory) breaks++
          const start = (used[memory] as number) + skipped
          used[memory] = start + length
          return (memories[memory] as Uint8Array).subarray(start, start + length)
        })
        const pieces = joinNeighbours(parts)
        assert.deepEqual(Buffer.concat(pieces), Buffer.concat(parts))
        assert.equal(pieces.length, breaks)
      }),
    )
  })
})
