import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { hideQueries, mapTexts, markQueries } from '../../../src/core/text/shown-address.ts'

describe('a web address that is shown', () => {
  it('has no query, wherever it stands in a text', () => {
    const cases = {
      'https://h/a.zarr/raw?X-Amz-Signature=1a2b&x=1': 'https://h/a.zarr/raw?…',
      'HTTP://h/my data/a.zarr?sig=%2Fa': 'HTTP://h/my data/a.zarr?…',
      '--input=https://h/a?sig=1': '--input=https://h/a?…',
      'There is no "raw" in "https://h/a?sig=1"; it has b': 'There is no "raw" in "https://h/a?…"; it has b',
      'http://h/a?b=1 and https://h/c?d=2\nhttp://h/e': 'http://h/a?… and https://h/c?…\nhttp://h/e',
      'http://h/a\nreally? yes': 'http://h/a\nreally? yes',
      'https://me:secret@h/a?b': 'https://…@h/a?…',
      'what?.zarr/raw?x=1': 'what?.zarr/raw?x=1',
      'http://h/a?': 'http://h/a?',
    }
    for (const [text, shown] of Object.entries(cases)) assert.equal(hideQueries(text), shown)
  })

  it('shows nothing of a query, whatever surrounds it', () => {
    const before = fc.string().filter((text) => !text.includes('SECRET'))
    fc.assert(
      fc.property(before, fc.string(), fc.constantFrom('', ' ', '/', '"', '\n'), (start, end, gap) => {
        const text = `${start}${gap}https://host/a.zarr?sig=SECRET${gap}${end}`
        assert.doesNotMatch(hideQueries(text), /SECRET/)
        assert.doesNotMatch(markQueries(text), /SECRET/)
      }),
    )
  })

  it('takes little time for a long text', () => {
    const start = performance.now()
    hideQueries('http://'.repeat(200_000))
    hideQueries('http://?'.repeat(200_000))
    assert.ok(performance.now() - start < 2000)
  })
})

describe('a web address that is kept', () => {
  it('differs if its query differs, and stays the same if it is kept again', () => {
    const [one, other] = ['https://h/a?v=1', 'https://h/a?v=2'].map(markQueries) as [string, string]
    assert.match(one, /^https:\/\/h\/a\?…[0-9a-f]{8}$/)
    assert.notEqual(one, other)
    assert.equal(markQueries(one), one)
    assert.deepEqual(mapTexts({ a: [{ input: 'https://h/a?v=1' }, 1, null] }, markQueries), {
      a: [{ input: one }, 1, null],
    })
  })
})
