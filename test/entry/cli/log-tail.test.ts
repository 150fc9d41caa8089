import assert from 'node:assert/strict'
import { appendFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { LogTail } from '../../../src/entry/cli/runs/log-tail.ts'
import { temporaryFolder } from '../../support/command-line.ts'

describe('the lines of a log', () => {
  it('are each read once, when they are complete, or at the end', () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'w1.log')
    writeFileSync(path, 'one\ntw')
    const tail = new LogTail(path)
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
    const path = join(folder.path, 'w1.log')
    for (const text of ['a\nb\nc\n', 'a\nb\nc']) {
      writeFileSync(path, text)
      for (const [count, expected] of [
        [0, []],
        [1, ['c']],
        [2, ['b', 'c']],
        [3, ['a', 'b', 'c']],
        [9, ['a', 'b', 'c']],
      ] as const) {
        assert.deepEqual(new LogTail(path, count).read(true), expected, `${count} of ${JSON.stringify(text)}`)
      }
    }
    writeFileSync(path, '')
    assert.deepEqual(new LogTail(path, 5).read(true), [])
  })
})
