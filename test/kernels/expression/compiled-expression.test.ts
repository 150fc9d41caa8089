import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { evaluateCompiled } from '../../../src/kernels/expression/compiled-expression.ts'
import { evaluateExpression, interpret } from '../../../src/kernels/expression/expression.ts'
import { parseExpression, variablesOf } from '../../../src/kernels/expression/expression-syntax.ts'
import type { TypedArray } from '../../../src/kernels/voxels.ts'
import { assertSameVoxels, DTYPES, hash32, makeArray, seededVoxels } from '../../support/seeded-voxels.ts'

const anyText = fc.letrec<{ node: string; leaf: string; branch: string }>((tie) => ({
  node: fc.oneof({ maxDepth: 4, withCrossShrink: true }, tie('leaf'), tie('branch')),
  leaf: fc.oneof(
    fc.constantFrom('x', 'y', 'x', 'y', 'true', 'inf', 'nan', 'pi'),
    fc.constantFrom(
      '0',
      '1',
      '2',
      '255',
      '0.5',
      '1e300',
      '3.25',
      '4294967296',
      '9223372036854775807',
      '18446744073709551615',
    ),
  ),
  branch: fc.oneof(
    fc
      .tuple(
        tie('node'),
        fc.constantFrom('+', '-', '*', '/', '//', '%', '**', '<', '<=', '>', '>=', '==', '!=', '&&', '||'),
        tie('node'),
      )
      .map(([a, operator, b]) => `(${a} ${operator} ${b})`),
    fc.tuple(tie('node'), tie('node'), tie('node')).map(([a, b, c]) => `(${a} ? ${b} : ${c})`),
    fc.tuple(fc.constantFrom('-', '!'), tie('node')).map(([sign, a]) => `${sign}(${a})`),
    fc
      .tuple(fc.constantFrom('abs', 'ceil', 'exp', 'floor', 'isnan', 'log', 'round', 'sign', 'sqrt'), tie('node'))
      .map(([name, a]) => `${name}(${a})`),
    fc.tuple(fc.constantFrom('min', 'max'), tie('node'), tie('node')).map(([name, a, b]) => `${name}(${a}, ${b})`),
    fc.tuple(tie('node'), tie('node'), tie('node')).map(([a, b, c]) => `clamp(${a}, ${b}, ${c})`),
  ),
})).node

const SPECIAL = [
  0,
  -0,
  0.5,
  -0.5,
  1.5,
  2.5,
  255,
  256,
  -1,
  65_535,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  2 ** 63,
  2 ** 64,
  -(2 ** 63),
]
const MORE = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e-45, 0.1, -3e9]

/** Noise, small numbers, or those at which something changes. */
function voxels(dtype: string, length: number, kind: string, seed: number): TypedArray {
  const data = seededVoxels(dtype, length, seed)
  const isBig = data instanceof BigInt64Array || data instanceof BigUint64Array
  const values = dtype.startsWith('float') ? [...SPECIAL, ...MORE] : SPECIAL
  for (let i = 0; i < length; i++) {
    if (kind === 'noise') continue
    const value = kind === 'small' ? (hash32(i, seed) % 7) - 2 : values[hash32(i, seed) % values.length]!
    data[i] = (isBig ? BigInt(Math.trunc(value)) : value) as never
  }
  return data
}

describe('a compiled expression', () => {
  it('gives what plain TypeScript gives, for any expression, types and values', () => {
    const anyKind = fc.constantFrom('noise', 'small', 'special')
    const anyDtype = fc.oneof(fc.constantFrom(...DTYPES), fc.constantFrom('uint64', 'int64', 'float32'))
    let compiled = 0
    fc.assert(
      fc.property(
        anyText,
        fc.tuple(anyDtype, anyKind),
        fc.tuple(anyDtype, anyKind),
        anyDtype,
        fc.constantFrom(1, 9, 37),
        fc.nat(),
        fc.boolean(),
        (text, [xType, xKind], [yType, yKind], outType, length, seed, isBool) => {
          const expression = parseExpression(text)
          const all = { x: voxels(xType, length, xKind, seed), y: voxels(yType, length, yKind, seed + 1) }
          const used = Object.fromEntries([...variablesOf(expression)].map((name) => [name, all[name as 'x' | 'y']]))
          const outDtype = isBool ? 'uint8' : outType
          const [actual, expected] = [makeArray(outDtype, length), makeArray(outDtype, length)]
          if (!evaluateCompiled(expression, used, actual, isBool, 1)) return
          compiled++
          interpret(expression, used, expected, isBool)
          assertSameVoxels(actual, expected, `${text}, x ${xType} ${xKind}, y ${yType} ${yKind}`)
        },
      ),
      { numRuns: 500 },
    )
    assert.ok(compiled > 300, `only ${compiled} were compiled`)
  })

  it('stores any number in any type as plain TypeScript does', () => {
    for (const from of DTYPES) {
      for (const to of DTYPES) {
        for (const text of ['x', 'x + 0.25', 'x > 3']) {
          const expression = parseExpression(text)
          const x = voxels(from, 203, 'special', 5)
          const [actual, expected] = [makeArray(to, x.length), makeArray(to, x.length)]
          if (!evaluateCompiled(expression, { x }, actual, false, 1)) continue
          interpret(expression, { x }, expected, false)
          assertSameVoxels(actual, expected, `${text}: ${from} to ${to}`)
        }
      }
    }
  })

  it('leaves numbers of more than 64 bits to plain TypeScript, and those that only might be', () => {
    const expression = parseExpression('x + 1')
    const out = new BigUint64Array(3)
    assert.equal(evaluateCompiled(expression, { x: BigUint64Array.of(1n, 2n, 2n ** 63n) }, out, false, 1), false)
    assert.equal(evaluateCompiled(expression, { x: BigUint64Array.of(1n, 2n, 2n ** 62n) }, out, false, 1), true)
    assert.deepEqual([...out], [2n, 3n, 2n ** 62n + 1n])
    assert.equal(
      evaluateCompiled(parseExpression('x * x'), { x: BigUint64Array.of(2n ** 40n) }, out.slice(1, 2), false, 1),
      false,
    )
    assert.equal(
      evaluateCompiled(parseExpression('x // 2'), { x: BigUint64Array.of(3n) }, out.slice(1, 2), false, 1),
      false,
    )
  })

  it('works on arrays of many parts, also in shared memory and on parts of buffers', () => {
    const length = 20_005
    const x = new Float32Array(new SharedArrayBuffer(4 * length)).map((_, i) => i)
    const y = new Uint16Array(length + 3).subarray(3).map((_, i) => i % 100)
    const out = new Int32Array(length + 1).subarray(1)
    evaluateExpression(parseExpression('y > 50 ? x : -y'), { x, y }, out)
    assert.ok(out.every((value, i) => value === (i % 100 > 50 ? i : -(i % 100))))
    assert.equal(out.buffer.byteLength, 4 * length + 4)
  })

  it('takes no time for deeply nested expressions', () => {
    const deep = parseExpression(`${'isnan('.repeat(90)}x${')'.repeat(90)} + ${'sign('.repeat(90)}x${')'.repeat(90)}`)
    const x = Float64Array.of(3, Number.NaN)
    const [actual, expected] = [new Float64Array(2), new Float64Array(2)]
    assert.ok(evaluateCompiled(deep, { x }, actual, false, 1))
    interpret(deep, { x }, expected, false)
    assertSameVoxels(actual, expected)
  })
})
