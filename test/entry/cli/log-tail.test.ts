import assert from 'node:assert/strict'
import { appendFileSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { LogTail } from '../../../src/entry/cli/runs/log-tail.ts'
import { temporaryFolder } from '../../support/command-line.ts'

/** The path of a log in the folder of a run. */
function logIn(folder: string): string {
  mkdirSync(join(folder, 'logs'))
  return join(folder, 'logs', 'w1.log')
}

describe('the lines of a log', () => {
  it('are each read once, when they are complete, or at the end', () => {
    using folder = temporaryFolder()
    const path = logIn(folder.path)
    writeFileSync(path, 'one\ntw')
    const tail = new LogTail(folder.path, 'w1.log')
    assert.deepEqual(tail.read(), ['one'])
    appendFileSync(path, 'o\nthr\u00e9'.slice(0, 5))
    assert.deepEqual(tail.read(), ['two'])
    appendFileSync(path, Buffer.from('é').subarray(0, 1))
    assert.deepEqual(tail.read(), [])
    appendFileSync(path, Buffer.from('é').subarray(1))
    assert.deepEqual(tail.read(true), ['thré'])
    assert.deepEqual(tail.read(true), [])
  })

  it('are the last ones if only those are wanted, whether or not the last has ended', () => {
    using folder = temporaryFolder()
    const path = logIn(folder.path)
    for (const text of ['a\nb\nc\n', 'a\nb\nc']) {
      writeFileSync(path, text)
      for (const [count, expected] of [
        [0, []],
        [1, ['c']],
        [2, ['b', 'c']],
        [3, ['a', 'b', 'c']],
        [9, ['a', 'b', 'c']],
      ] as const) {
        assert.deepEqual(
          new LogTail(folder.path, 'w1.log', count).read(true),
          expected,
          `${count} of ${JSON.stringify(text)}`,
        )
      }
    }
    writeFileSync(path, '')
    assert.deepEqual(new LogTail(folder.path, 'w1.log', 5).read(true), [])
  })

  it('are not those of a file to which a link leads that was put in its place, or in that of its folder, meanwhile', () => {
    using folder = temporaryFolder()
    const path = logIn(folder.path)
    writeFileSync(path, 'own\n')
    const tail = new LogTail(folder.path, 'w1.log')
    assert.deepEqual(tail.read(), ['own'])
    const elsewhere = join(folder.path, 'elsewhere')
    renameSync(join(folder.path, 'logs'), elsewhere)
    appendFileSync(join(elsewhere, 'w1.log'), 'secret\n')
    symlinkSync(elsewhere, join(folder.path, 'logs'))
    assert.throws(() => tail.read(), { code: 'UNSUPPORTED', message: /behind, a link/ })
    renameSync(join(folder.path, 'logs'), join(folder.path, 'link'))
    mkdirSync(join(folder.path, 'logs'))
    symlinkSync(join(elsewhere, 'w1.log'), path)
    assert.throws(() => tail.read(), { code: 'UNSUPPORTED', message: /behind, a link/ })
  })
})
