import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  type Json,
  type JsonObject,
  parseJson,
  plainCopy,
  stringifyJson,
  withSources,
} from '../../../../src/adapters/zarr/metadata/exact-json.ts'

describe('exact JSON', () => {
  it('keeps every 64-bit integer: as a number in the text, as a bigint beyond 2^53', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), (value) => {
        const text = stringifyJson({ value })
        assert.equal(text, `{\n  "value": ${value}\n}\n`)
        const parsed = (parseJson(text) as { value: Json }).value
        assert.equal(typeof parsed, Number.isSafeInteger(Number(value)) ? 'number' : 'bigint')
        assert.equal(BigInt(parsed as number | bigint), value)
      }),
    )
  })

  it('is plain JSON for everything else', () => {
    const value = { a: [1.5, -0.25, 1e300, 'text', null, true, {}], b: { c: '18446744073709551615' } }
    assert.deepEqual(parseJson(stringifyJson(value)), value)
    assert.deepEqual(JSON.parse(stringifyJson(value)), value)
    assert.throws(() => parseJson('{"a": }'), SyntaxError)
  })

  it('reads the bare NaN and Infinity that Python writes, and leaves strings with these words alone', () => {
    const parsed = parseJson('{"a": NaN, "b": [Infinity, -Infinity], "NaN": "NaN, -Infinity \\" NaN"}')
    const { a, b, NaN: text } = parsed as Record<string, Json>
    assert.deepEqual([a, ...(b as Json[]), text], [Number.NaN, Infinity, -Infinity, 'NaN, -Infinity " NaN'])
  })

  it('writes every number that it read to the last digit, wherever copies of its objects go', () => {
    const numbers = fc.oneof(
      fc.constantFrom('NaN', 'Infinity', '-Infinity', '1.0', '-0', '-0.0', '1e5', '1E+05', '0.1000000000000000055'),
      fc.constantFrom('18446744073709551616', '1e400', '9'.repeat(2000), '123456789012345678.5'),
      fc.bigInt().map(String),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
    )
    const texts = fc.oneof(
      fc.string(),
      fc.constantFrom('non-finite:NaN', 'non-finite-0:NaN', '"non-finite-1:Infinity', '\\u006eon-finite-0:NaN', 'NaN'),
    )
    const keys = fc.oneof(fc.string(), fc.constantFrom('constructor', 'toString', 'hasOwnProperty', '__proto__', '0'))
    const { document } = fc.letrec((tie) => ({
      document: fc.oneof(
        { depthSize: 'small' },
        numbers.map((number) => `\u0000${number}`),
        texts,
        fc.constantFrom(true, false, null),
        fc.array(tie('document')),
        fc.array(fc.tuple(keys, tie('document'))).map((entries) => Object.fromEntries(entries)),
      ),
    }))
    /** Numbers as marked text, which no text of the document begins like. */
    const write = (value: unknown): string =>
      JSON.stringify(value, (_key, item) => (typeof item === 'string' && item[0] !== '\u0000' ? ` ${item}` : item), 2)
        .replace(/"\\u0000([^"]*)"/g, '$1')
        .replace(/": /g, '": ')
    fc.assert(
      fc.property(document, (value) => {
        const text = `${write({ kept: value, of: [value] })}\n`
        const parsed = parseJson(text) as JsonObject
        assert.equal(stringifyJson(parsed), text)
        const { added, ...rest } = { ...parsed, added: 1 }
        assert.equal(stringifyJson({ ...rest }), text)
        assert.equal(stringifyJson(withSources(plainCopy(parsed) as JsonObject)), text)
      }),
    )
  })

  it('writes a number that was changed as it is now', () => {
    const parsed = parseJson('{"a": 1.0, "b": NaN, "c": 18446744073709551616}') as JsonObject
    assert.equal(stringifyJson({ ...parsed, a: 2, b: 3, c: 4n }), '{\n  "a": 2,\n  "b": 3,\n  "c": 4\n}\n')
  })

  it('reads an integer of millions of digits in no time', () => {
    const digits = '7'.repeat(5_000_000)
    const start = performance.now()
    assert.equal(stringifyJson(parseJson(`{"a": ${digits}}`)), `{\n  "a": ${digits}\n}\n`)
    assert.ok(performance.now() - start < 5000)
  })
  for (const [what, value] of [
    ['', '0'],
    [' with bare words', 'NaN'],
  ] as const) {
    it(`says that lists are nested too deeply${what}, and not what the stack of this program is`, () => {
      const deep = `{"a": ${value}, "b": ${'['.repeat(500_000)}${']'.repeat(500_000)}}`
      assert.throws(() => parseJson(deep), {
        name: 'SyntaxError',
        message: 'its lists and objects are nested too deeply',
      })
    })
  }
})
