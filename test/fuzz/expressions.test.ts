import { describe } from 'node:test'
import { fuzzTarget } from '../support/fuzz/fuzz-target.ts'

describe('the text of an expression', () => {
  fuzzTarget('expression', {
    kind: 'text',
    seeds: [
      'clamp(x - 10, 0, 255)',
      'a > 1 && !(b == 2) ? min(a, b, 3) : -x ** 2 // 3 % 7',
      'not isnan(x) or nan',
      '1e3',
    ],
    dictionary: [
      '**',
      '//',
      '&&',
      '||',
      'and',
      'or',
      'not',
      '?',
      ':',
      '(',
      ')',
      ',',
      'abs(',
      'log(',
      '1e309',
      '0x1',
      '=',
      '9007199254740993',
      'x',
      'b',
    ],
    // The configuration of `map` turns it into INVALID_CONFIG.
    codes: [],
    // Every number, name and sign has memory for a batch of voxels.
    maxBytes: 256 * 2 ** 20,
    maxLength: 1000,
    isRefusal: (error) => error instanceof SyntaxError,
    async load() {
      const { parseExpression, variablesOf } = await import('../../src/kernels/expression/expression-syntax.ts')
      const { evaluateExpression, isLogical, mayGiveFractions } = await import(
        '../../src/kernels/expression/expression.ts'
      )
      const sources = [Float32Array.of(1.5, -2, NaN), BigInt64Array.of(1n, -2n, 2n ** 62n), Uint8Array.of(0, 1, 255)]
      return (input) => {
        const parsed = parseExpression(new TextDecoder().decode(input))
        isLogical(parsed)
        mayGiveFractions(parsed, () => false)
        const names = [...variablesOf(parsed)]
        const given = Object.fromEntries(names.map((name, number) => [name, sources[number % 3]!]))
        evaluateExpression(parsed, given, new Float64Array(3))
        evaluateExpression(parsed, given, new BigUint64Array(3))
      }
    },
  })
})
