import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { printable } from '../../../src/core/text/printable.ts'

describe('a text for a terminal', () => {
  it('shows control characters instead of sending them, and keeps everything else', () => {
    assert.equal(printable('\u001b]0;title\u0007 \u001b[2J\r\u009b1A'), '\\x1b]0;title\\x07 \\x1b[2J\\x0d\\x9b1A')
    assert.equal(printable('\u202egpj.exe'), '\\u202egpj.exe')
    assert.equal(printable('µm, 日本\n\tx'), 'µm, 日本\n\tx')
  })
})
