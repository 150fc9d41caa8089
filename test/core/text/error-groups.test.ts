import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { groupFailures } from '../../../src/core/text/error-groups.ts'

const failure = (index: number, message: string, code = 'BLOCK_FAILED') => ({ index, error: { code, message } })

describe('groups of failures', () => {
  it('have the same error, or one that differs only in numbers; the largest is first', () => {
    const groups = groupFailures([
      failure(1, 'no such neuron'),
      failure(2, 'chunk (0, 1, 2) is corrupt\nat line 3'),
      failure(3, 'chunk (0, 1, 12) is corrupt'),
      failure(4, 'chunk (0, 1, 12) is corrupt'),
      failure(5, 'no such neuron', 'TIMEOUT'),
      failure(6, 'no such neuron'),
    ])
    const shown = groups.map(({ failures, isSame }) => [failures.map(({ index }) => index), isSame])
    assert.deepEqual(shown, [
      [[2, 3, 4], false],
      [[1, 6], true],
      [[5], true],
    ])
  })
})
