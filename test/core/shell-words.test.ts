import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { quoteShell, splitWords, wordsAndGaps } from '../../src/core/shell-words.ts'

describe('a line of shell', () => {
  it('is cut between its words, never within quotes or after a backslash', () => {
    assert.deepEqual(wordsAndGaps(`  a 'b c'\\''d e'  "f 'g h"  i\\ j  `), [
      ...['  a', ' ', `'b c'\\''d e'`, '  ', `"f 'g h"`, '  ', 'i\\ j  '],
    ])
  })

  it('has the words that a shell sees, whatever they contain', () => {
    const word = fc.string({ unit: fc.constantFrom('a', ' ', "'", '"', '\\', '$') })
    fc.assert(
      fc.property(fc.array(word, { minLength: 1 }), (words) => {
        const pieces = wordsAndGaps(words.map(quoteShell).join(' '))
        const found = pieces.filter((_, i) => i % 2 === 0).map((piece) => splitWords(piece, '--flag'))
        assert.deepEqual(
          found,
          words.map((each) => [each]),
        )
      }),
    )
  })
})
