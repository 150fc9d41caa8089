import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isRegion, parseBlockList } from '../../../src/core/control/block-list.ts'

const named = (text: string) =>
  parseBlockList(text, 'list').map((entry) => {
    const { at: _, ...rest } = entry
    return rest
  })

describe('a list of blocks', () => {
  it('has blocks and regions, one per line, with comments', () => {
    assert.deepEqual(named('# failed last night\n12\n\nsmooth/7  # again\n0,0,0:1000,400,400\n0:20,1:2,-50:\n'), [
      { index: 12 },
      { task: 'smooth', index: 7 },
      { roi: '0,0,0:1000,400,400' },
      { roi: '0:20,1:2,-50:' },
    ])
  })

  it('may be JSON: numbers, names, failures as runs print them, and lists by task', () => {
    assert.deepEqual(named('[3, "smooth/4", { "block": "label/5", "index": 5 }, { "roi": "0,0:8,8" }]'), [
      { index: 3 },
      { task: 'smooth', index: 4 },
      { task: 'label', index: 5 },
      { roi: '0,0:8,8' },
    ])
    assert.deepEqual(named('{ "a/b": [1], "c": ["0:8,0:8"] }'), [{ task: 'a/b', index: 1 }, { roi: '0:8,0:8' }])
  })

  it('is refused with the line or entry that is wrong', () => {
    const expected =
      'expected one block (task/index, or its index) or one region (offset:shape in nm, or voxels) per line'
    const cases: [string, string][] = [
      ['1\n-2\n', `list, line 2: "-2": ${expected}.`],
      ['[1, null]', `list, entry 2: null: ${expected}.`],
      ['{ "a": 3 }', `list: "a" is not a list of blocks; ${expected}.`],
      ['# nothing\n', `list lists no block; ${expected}.`],
    ]
    for (const [text, message] of cases)
      assert.throws(() => parseBlockList(text, 'list'), { code: 'INVALID_CONFIG', message })
    assert.throws(() => parseBlockList('x'.repeat(1000), 'list'), /^ConfigError: list, line 1: "x{80}…": expected/)
    assert.throws(() => parseBlockList('[1', 'list'), /^ConfigError: list is not JSON: /)
  })

  it('tells regions from paths', () => {
    assert.deepEqual(['0,0,0:8,8,8', '0:8, 1:2', 'failed', 'C:/blocks.txt', 'blocks.json', '12'].map(isRegion), [
      true,
      true,
      false,
      false,
      false,
      false,
    ])
  })
})
