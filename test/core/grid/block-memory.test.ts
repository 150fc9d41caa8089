import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { assertStatesFit } from '../../../src/core/grid/block-memory.ts'

const task = (id: string, blockCount: number) => ({ id, grid: { blockCount } })
const GB = 1e9

describe('the states of all blocks', () => {
  it('have to fit into half of the memory, all tasks together', () => {
    assertStatesFit([task('a', 1e10)], 8 * GB)
    assertStatesFit([], 0)
    assert.throws(() => assertStatesFit([task('a', 1e10)], 4 * GB), {
      code: 'TOO_MANY_BLOCKS',
      message:
        /^Task "a" has 10000000000 blocks, whose states take more than half of the 4\.00 GB of memory here; use larger blocks/,
    })
    assert.throws(() => assertStatesFit([task('a', 1e10), task('b', 2e10)], 16 * GB), /^ConfigError: Task "b" has/)
  })
})
