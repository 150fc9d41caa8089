import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { xmlTags } from '../../../src/adapters/files/xml-tags.ts'

const namesIn = (xml: string) => [...xmlTags(xml)].map(({ name, isEnd }) => (isEnd ? `/${name}` : name))

describe('the tags of an XML text', () => {
  it('have names without prefixes, and attributes in both kinds of quotes', () => {
    const [first, second] = [...xmlTags('<?xml version="1.0"?><o:A x="a > \'b\'" y =\n\'c "d"\'><B/></o:A>')]
    assert.deepEqual([first?.name, second?.name], ['A', 'B'])
    assert.deepEqual(
      [...(first?.attributes() ?? [])],
      [
        ['x', "a > 'b'"],
        ['y', 'c "d"'],
      ],
    )
    assert.deepEqual([...(second?.attributes() ?? [])], [])
  })

  it('are not found in comments, in CDATA, in values, or after what does not end', () => {
    assert.deepEqual(namesIn('<a><!-- <b> --><c><![CDATA[<d>]]></c x="<e>"><f'), ['a', 'c', '/c'])
    assert.deepEqual(namesIn('<a><!-- <b>'), ['a'])
    assert.deepEqual(namesIn('<a><b x="><c>'), ['a'])
  })

  it('are those that were written, whatever their texts', () => {
    const text = fc.string({ maxLength: 12 }).map((value) => value.replace(/[<"&]/g, ''))
    const tag = fc.record({ name: fc.stringMatching(/^[A-Za-z]{1,8}$/), value: text, between: text })
    fc.assert(
      fc.property(fc.array(tag, { maxLength: 8 }), (tags) => {
        const found = [...xmlTags(tags.map(({ name, value, between }) => `<${name} v="${value}">${between}`).join(''))]
        assert.deepEqual(
          found.map(({ name, attributes }) => [name, attributes().get('v')]),
          tags.map(({ name, value }) => [name, value]),
        )
      }),
    )
  })

  // Work that grows with the square of the length would not end: these texts are 8 million characters long.
  for (const [what, part] of [
    ['tags that do not end', '<Channel '],
    ['one long name', 'a'],
    ['blanks', ' '],
    ['quotes', '"x'],
    ['comments that do not end', '<!-- -'],
    ['elements without content', '<TiffData/>'],
  ] as const) {
    it(`are found in one pass over ${what}`, { timeout: 120_000 }, () => {
      const xml = `<OME><Pixels ${part.repeat(Math.ceil(8e6 / part.length))}`
      let characters = 0
      for (const { name, attributes } of xmlTags(xml)) {
        for (const [key, value] of attributes()) characters += key.length + value.length
        characters += name.length
      }
      assert.ok(characters <= xml.length)
    })
  }
})
