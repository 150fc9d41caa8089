import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { LineSplitter } from '../../../src/core/protocol/lines.ts'

const encoder = new TextEncoder()
const text = (line: Uint8Array) => new TextDecoder().decode(line)
const bytesOf = (line: string) => encoder.encode(line).length

/** A line of any text without line feeds. */
const anyLine = fc.string({ unit: 'grapheme', maxLength: 40 }).filter((line) => !line.includes('\n'))
const anyLines = fc.array(anyLine, { maxLength: 12 })
/** Where a stream is cut into chunks; sizes of 0 included. */
const anyCuts = fc.array(fc.nat(30), { maxLength: 40 })

function* cut(stream: Uint8Array, sizes: readonly number[]): Generator<Uint8Array> {
  let from = 0
  for (const size of sizes) {
    yield stream.subarray(from, from + size)
    from += size
  }
  yield stream.subarray(from)
}

/** All lines of a stream, as texts. */
function split(stream: Uint8Array, sizes: readonly number[], maxBytes = 1e6): string[] {
  const lines = new LineSplitter(maxBytes)
  return [...cut(stream, sizes)].flatMap((chunk) => [...lines.take(chunk)].map(text))
}

describe('a line splitter', () => {
  it('returns the same lines wherever the bytes are cut, even within a character', () => {
    fc.assert(
      fc.property(anyLines, anyLine, anyCuts, (lines, unfinished, sizes) => {
        const stream = encoder.encode([...lines, unfinished].join('\n'))
        assert.deepEqual(split(stream, sizes), lines)
      }),
    )
  })

  it('accepts every line up to the limit and refuses the first longer one, finished or not', () => {
    fc.assert(
      fc.property(anyLines, anyCuts, fc.integer({ min: 1, max: 60 }), (lines, sizes, maxBytes) => {
        const fitting = lines.findIndex((line) => bytesOf(line) > maxBytes)
        const accepted = fitting === -1 ? lines : lines.slice(0, fitting)
        const splitter = new LineSplitter(maxBytes)
        const seen: string[] = []
        const read = () => {
          for (const chunk of cut(encoder.encode(lines.join('\n')), sizes)) {
            for (const line of splitter.take(chunk)) seen.push(text(line))
          }
        }
        if (fitting === -1) read()
        else assert.throws(read, { code: 'PROTOCOL_ERROR', message: / bytes or more was received; expected at most / })
        // The last line has no line feed, so it is never returned.
        assert.deepEqual(seen, fitting === -1 ? lines.slice(0, -1) : accepted)
      }),
    )
  })

  it('applies a new limit from the next line on, even within one chunk', () => {
    const splitter = new LineSplitter(5)
    const seen: string[] = []
    for (const line of splitter.take(encoder.encode('hello\na longer line\n'))) {
      seen.push(text(line))
      splitter.maxBytes = 20
    }
    assert.deepEqual(seen, ['hello', 'a longer line'])
  })

  it('refuses a line that is too long before its end arrives', () => {
    const splitter = new LineSplitter(5)
    assert.deepEqual([...splitter.take(encoder.encode('123'))], [])
    assert.throws(() => [...splitter.take(encoder.encode('456'))], { code: 'PROTOCOL_ERROR' })
  })

  it('forgets an unfinished line when it is cleared', () => {
    const splitter = new LineSplitter(100)
    assert.deepEqual([...splitter.take(encoder.encode('lost'))], [])
    splitter.clear()
    assert.deepEqual([...splitter.take(encoder.encode('kept\n'))].map(text), ['kept'])
  })
})
