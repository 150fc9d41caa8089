import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { elementsOf, escapeXml, textOf } from '../../../src/adapters/objects/xml.ts'

describe('the XML of answers', () => {
  it('gives back any text that was escaped', () =>
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        assert.equal(textOf(`<a><Key>${escapeXml(text)}</Key></a>`, 'Key'), text)
      }),
    ))

  it('has characters by number and by name', () => {
    assert.equal(
      textOf('<Key>&#65;&#x1F600;&quot;&apos;&amp;lt;&unknown;&#x110000;</Key>', 'Key'),
      'A😀"\'&lt;&unknown;&#x110000;',
    )
  })

  it('gives all elements in their order, and none that does not end', () => {
    assert.deepEqual(elementsOf('<C>1</C><D>x</D><C>2</C><C>3', 'C'), ['1', '2'])
    assert.equal(textOf('<Key>', 'Key'), undefined)
  })

  it('is looked through once, however it is damaged', () => {
    const pieces = fc.constantFrom('<C>', '</C>', '<Key>', '</Key>', '&#', '&amp;', '&#x', '<', 'a', '\0', ';')
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 60 }), (parts) => {
        const xml = parts.join('')
        const found = elementsOf(xml, 'C')
        assert.ok(found.join('').length <= xml.length)
        textOf(xml, 'Key')
      }),
    )
    // Quadratic time would be minutes.
    for (const piece of ['<C>', '<C></C', '&#', '</C>'])
      elementsOf(piece.repeat(1_000_000), 'C').map((text) => textOf(text, 'C'))
  })
})
