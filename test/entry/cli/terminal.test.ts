import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { columnsOf, control, guardStream, wrapped } from '../../../src/entry/cli/terminal.ts'

function recorder() {
  const written: string[] = []
  return { written, write: (text: string) => written.push(text) > 0 }
}

describe('a guarded stream', () => {
  it('shows control characters of others, and passes on our own', () => {
    const stream = recorder()
    guardStream(stream as unknown as NodeJS.WriteStream)
    guardStream(stream as unknown as NodeJS.WriteStream)
    stream.write(`${control('\r\u001b[0J')}\u001b]0;owned\u0007\r\u202e${control('\u001b[32m')}µ\n`)
    assert.deepEqual(stream.written, ['\r\u001b[0J\\x1b]0;owned\\x07\\x0d\\u202e\u001b[32mµ\n'])
  })

  it('shows those among bytes, also where a character comes in two pieces', () => {
    const stream = recorder()
    guardStream(stream as unknown as NodeJS.WriteStream)
    const bytes = Buffer.from('日\u009b2J')
    const write = stream.write as unknown as (bytes: Uint8Array) => boolean
    for (const byte of bytes) write(Buffer.from([byte]))
    assert.equal(stream.written.join(''), '日\\x9b2J')
  })
})

describe('a line that is wrapped', () => {
  const text = `${control('\u001b[32m✔\u001b[39m')} SLURM       rejects these options: could not establish a configuration`

  it('is broken between words on a terminal, with an indent, and colours take no room', () => {
    const lines = wrapped(text, 14, { isTTY: true, columns: 40 }).split('\n')
    assert.deepEqual(lines.slice(1), ['              could not establish a', '              configuration'])
    assert.ok(lines.every((line) => columnsOf(line) < 40))
    assert.ok(lines[0]?.endsWith('SLURM       rejects these options:'), lines[0])
  })

  it('stays as it is elsewhere, where it fits, and in a terminal that is too narrow to be read', () => {
    assert.equal(wrapped(text, 14, { isTTY: false }), text)
    assert.equal(wrapped(text, 14, { isTTY: true, columns: 200 }), text)
    assert.equal(wrapped(text, 14, { isTTY: true, columns: 20 }), text)
  })
})
