import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { evaluateExpression } from '../../../src/kernels/expression/expression.ts'
import { parseExpression } from '../../../src/kernels/expression/expression-syntax.ts'
import { roundHalfToEven } from '../../../src/kernels/expression/rounding.ts'

const resultOf = (text: string, x = 0): number =>
  evaluateExpression(parseExpression(text), { x: Float64Array.of(x) }, new Float64Array(1))[0]!

describe('parseExpression', () => {
  it('has the operator precedence of Python', () => {
    for (const [text, value] of [
      ['2 + 3 * 4', 14],
      ['(2 + 3) * 4', 20],
      ['-2 ** 2', -4],
      ['2 ** 3 ** 2', 512],
      ['2 ** -1', 0.5],
      ['7 - 3 - 2', 2],
      ['64 / 4 / 2', 8],
      ['-7 // 2', -4],
      ['-7 % 3', 2],
      ['7 % -3', -2],
      ['1 < 2 + 3', 1],
      ['not 1 == 2', 1],
      ['!0 + 1', 2],
      ['0 && 1 || 1', 1],
      ['1 or 0 and 0', 1],
      ['0 ? 1 : 0 ? 2 : 3', 3],
      ['1 ? 2 : 3 + 10', 2],
      ['+-+5', -5],
      ['.5 + 1e-1 + 2.', 2.6],
      ['max(1, 2, min(9, 5))', 5],
      ['inf > 1e308 && isnan(nan) && pi > 3.14 && true != false', 1],
    ] as const) {
      assert.equal(resultOf(text), value, text)
    }
  })

  it('reports the mistake and its place', () => {
    for (const [text, message] of [
      ['', /^a value is missing$/],
      ['x +', /^a value is missing after "x \+"$/],
      ['x * / 2', /^a value is missing before "\/" after "x \*"$/],
      ['(x', /^"\)" is missing after "\(x"$/],
      ['x)', /^"\)" was not expected after "x"$/],
      ['x ? 1', /^":" is missing after "x \? 1"$/],
      ['2x', /^"x" was not expected after "2"$/],
      ['x = 1', /^there is no "=" here; use ==$/],
      ['x | 1', /^there is no "\|" here; use \|\|$/],
      ['"a"', /^there is no """ here$/],
      ['min(x)', /^min takes 2 to 16 values, not 1$/],
      ['abs()', /^a value is missing before "\)"/],
      ['toString(x)', /^there is no function "toString"; there are abs, /],
      ['-'.repeat(1e3), /^it is nested too deeply/],
      [`x${'+x'.repeat(1e5)}`, /^it is too long: more than 2000 /],
    ] as const) {
      assert.throws(() => parseExpression(text), { name: 'SyntaxError', message }, text)
    }
  })

  it('accepts or refuses any text, and never fails in another way', () => {
    const parts = [
      'x',
      '1',
      '2.5',
      '(',
      ')',
      '+',
      '-',
      '*',
      '/',
      '//',
      '%',
      '**',
      '<',
      '==',
      '&&',
      'or',
      'not',
      '?',
      ':',
      ',',
      'max',
      '&',
    ]
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...parts), { maxLength: 12 }), (words) => {
        try {
          parseExpression(words.join(' '))
        } catch (error) {
          assert.ok(error instanceof SyntaxError)
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('evaluateExpression', () => {
  it('computes every voxel of a volume that is longer than one piece', () => {
    const x = Uint16Array.from({ length: 10_001 }, (_, i) => i)
    const out = evaluateExpression(parseExpression('x % 2 == 0 ? x : 2 * x + 1'), { x }, new Float64Array(x.length))
    assert.ok(out.every((value, i) => value === (i % 2 === 0 ? i : 2 * i + 1)))
    const big = BigInt64Array.from(x, BigInt)
    const whole = evaluateExpression(parseExpression('-x * 3'), { x: big }, new BigInt64Array(x.length))
    assert.ok(whole.every((value, i) => value === BigInt(-3 * i)))
  })

  it('looks up the values of small types, as it would compute them', () => {
    const inputs = [Uint8Array, Int8Array, Uint16Array, Int16Array] as const
    const outputs = [Uint8Array, Int16Array, Float32Array, BigUint64Array] as const
    const texts = ['255 - x', 'x > 3', 'sqrt(x) * 2.5', 'x % 7 == 0 ? 1 : x / 3', '3']
    // One expression for all types: its table has to change with them.
    const parsed = new Map(texts.map((text) => [text, parseExpression(text)]))
    for (const [input, output, text] of inputs.flatMap((i) =>
      outputs.flatMap((o) => texts.map((t) => [i, o, t] as const)),
    )) {
      const data = new input(2 ** 16 + 5).map((_, i) => i * 7919)
      const expression = parsed.get(text) as ReturnType<typeof parseExpression>
      const found = evaluateExpression(expression, { x: data }, new output(data.length))
      assert.deepEqual(evaluateExpression(expression, { x: data }, new output(data.length)), found)
      // Too few voxels for a table.
      for (let at = 0; at < data.length; at += 4001) {
        const part = data.subarray(at, at + 200)
        const expected = evaluateExpression(expression, { x: part }, new output(part.length))
        assert.deepEqual(found.slice(at, at + 200), expected, `${text}: ${input.name} to ${output.name}`)
      }
    }
  })

  it('rounds halves to the even number, clips to the range, and turns NaN into 0', () => {
    const x = Float64Array.of(0.5, 1.5, 2.5, -0.5, -1.5, 300, -300, Number.NaN, Number.POSITIVE_INFINITY)
    const into = <Out extends Uint8Array | Int8Array | BigUint64Array>(out: Out) =>
      [...evaluateExpression(parseExpression('x'), { x }, out)].map(Number)
    assert.deepEqual(into(new Uint8Array(9)), [0, 2, 2, 0, 0, 255, 0, 0, 255])
    assert.deepEqual(into(new Int8Array(9)), [0, 2, 2, 0, -2, 127, -128, 0, 127])
    assert.deepEqual(into(new BigUint64Array(9)), [0, 2, 2, 0, 0, 300, 0, 0, Number(2n ** 64n - 1n)])
    assert.deepEqual([-2.5, -1.5, 2 ** 52 + 1, Number.NEGATIVE_INFINITY].map(roundHalfToEven), [
      -2,
      -2,
      2 ** 52 + 1,
      Number.NEGATIVE_INFINITY,
    ])
  })

  it('computes with 64-bit integers exactly, including literals, until a fraction occurs', () => {
    const top = 2n ** 64n - 1n
    const of = (text: string, x: bigint) =>
      evaluateExpression(parseExpression(text), { x: BigUint64Array.of(x) }, new BigUint64Array(1))[0]
    assert.equal(of('x - 2 ** 63 + 2 ** 63', top), top)
    assert.equal(of('x * x', top), top)
    assert.equal(of('x == 18446744073709551614', top), 0n)
    assert.equal(of('max(x - 1, 2 * (3 - 3))', top), top - 1n)
    assert.equal(of('x // 0 + x % 0', top), 0n)
    assert.equal(of('x * 1.0 - 1', 2n ** 60n + 1n), 2n ** 60n)
  })

  it('refuses a missing variable, and arrays of different lengths', () => {
    const x = new Uint8Array(3)
    for (const name of ['y', 'constructor']) {
      assert.throws(
        () => evaluateExpression(parseExpression(name), { x }, x),
        new RegExp(`The variable "${name}" is not given`),
      )
    }
    assert.throws(
      () => evaluateExpression(parseExpression('x + y'), { x, y: new Uint8Array(2) }, new Uint8Array(3)),
      /"y" has 2 voxels, but the result has 3/,
    )
  })
})
