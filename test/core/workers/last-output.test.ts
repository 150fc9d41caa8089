import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { lastOutput } from '../../../src/core/workers/last-output.ts'

describe('the last output of a worker', () => {
  it('is its last ten lines, without trailing empty lines', () => {
    const lines = Array.from({ length: 30 }, (_, index) => `line ${index}`)
    assert.equal(lastOutput(`${lines.join('\n')}\n\n`), lines.slice(20).join('\n'))
    assert.equal(lastOutput('\n'), '')
  })

  it('is no longer than 4096 characters', () => {
    assert.equal(lastOutput('x'.repeat(10_000)).length, 4096)
  })
})
