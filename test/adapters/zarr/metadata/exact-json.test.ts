import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type Json, parseJson, stringifyJson } from '../../../../src/adapters/zarr/metadata/exact-json.ts'

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
    assert.deepEqual(parsed, { a: Number.NaN, b: [Infinity, -Infinity], NaN: 'NaN, -Infinity " NaN' })
  })
})
