import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { readLogEnd } from '../../../src/entry/workers/log-end.ts'
import { temporaryFolder } from '../../support/command-line.ts'

describe('the end of a log', () => {
  it('is all of a short log, or everything after the position where a worker started', async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'w1.log')
    writeFileSync(path, 'before\nafter\n')
    assert.equal(await readLogEnd(path), 'before\nafter\n')
    assert.equal(await readLogEnd(path, 7), 'after\n')
    assert.equal(await readLogEnd(path, 13), '')
    assert.equal(await readLogEnd(path, 99), '')
  })

  it('is the last complete lines of a long log', async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'w1.log')
    const lines = Array.from({ length: 10_000 }, (_, index) => `Zeile ä ${index}`)
    writeFileSync(path, lines.join('\n'))
    const text = await readLogEnd(path)
    const read = text.split('\n')
    assert.deepEqual(read, lines.slice(-read.length))
    assert.ok(Buffer.byteLength(text) <= 16_384 && Buffer.byteLength(text) > 16_300, `${Buffer.byteLength(text)}`)
  })

  it('is an error when there is no such file', async () => {
    using folder = temporaryFolder()
    await assert.rejects(readLogEnd(join(folder.path, 'none.log')), { code: 'ENOENT' })
  })
})
