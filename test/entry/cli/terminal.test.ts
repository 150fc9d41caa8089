import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { control, guardStream } from '../../../src/entry/cli/terminal.ts'

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
