import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { printable, printableJson, printableLine } from '../../../src/core/text/printable.ts'

describe('a text for a terminal', () => {
  it('V10: shows control characters instead of sending them, and keeps everything else', () => {
    assert.equal(printable('\u001b]0;title\u0007 \u001b[2J\r\u009b1A'), '\\x1b]0;title\\x07 \\x1b[2J\\x0d\\x9b1A')
    assert.equal(printable('\u202egpj.exe'), '\\u202egpj.exe')
    assert.equal(printable('µm, 日本\n\tx'), 'µm, 日本\n\tx')
  })

  it('shows line breaks, too, where it is part of a line', () => {
    assert.equal(printableLine('a\nbellis: all is well\t'), 'a\\x0abellis: all is well\\x09')
  })

  it('keeps the value of JSON', () => {
    const value = { text: '\u009b1A \u202e \u001b µ' }
    const shown = printableJson(JSON.stringify(value, null, 2))
    assert.deepEqual(JSON.parse(shown), value)
    assert.equal(printable(shown), shown)
  })
})
