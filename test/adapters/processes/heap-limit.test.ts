import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { chosenHeapMb, youngLimit } from '../../../src/adapters/processes/heap-limit.ts'

function withOptions<T>(options: string, work: () => T): T {
  const { NODE_OPTIONS: before } = process.env
  process.env.NODE_OPTIONS = options
  try {
    return work()
  } finally {
    if (before === undefined) delete process.env.NODE_OPTIONS
    else process.env.NODE_OPTIONS = before
  }
}

describe('the heap of worker processes', () => {
  it('has a limit for young objects, unless the user has set one', () => {
    assert.deepEqual(withOptions('', youngLimit), ['--max-semi-space-size=8'])
    assert.deepEqual(withOptions('--enable-source-maps --max-semi-space-size=64', youngLimit), [])
    assert.deepEqual(withOptions('--max_semi_space_size=64', youngLimit), [])
  })

  it('has the limit that the user has set', () => {
    assert.equal(
      withOptions('--max-old-space-size=80', () => chosenHeapMb()),
      80,
    )
  })
})
