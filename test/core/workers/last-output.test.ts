import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { failureNote } from '../../../src/core/workers/failure-note.ts'
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

  it('leaves out what it has noted of failed blocks', () => {
    const note = failureNote('smooth/3', {
      code: 'BLOCK_FAILED',
      message: '',
      stack: 'Error: a\n\nb\n    at c.ts:1:2\n',
    })
    assert.equal(note, 'block smooth/3 failed:\n  Error: a\n  \n  b\n      at c.ts:1:2')
    assert.equal(lastOutput(`${note}\n`), '')
    assert.equal(lastOutput(`before\n${note}\n${note}\n  indented\nSegmentation fault\n`), 'before\nSegmentation fault')
    assert.equal(
      failureNote('smooth/3', { code: 'IO_ERROR', message: 'no stack' }),
      'block smooth/3 failed:\n  no stack',
    )
  })

  it('ends with the reason, if the heap of its JavaScript was full', () => {
    const full =
      'FATAL ERROR: Ineffective mark-compacts near heap limit Allocation failed - JavaScript heap out of memory'
    const trace = Array.from({ length: 20 }, (_, index) => `${index}: 0x1234 node::Abort() [node]`).join('\n')
    assert.equal(lastOutput(`before\n${full}\n----- Native stack trace -----\n${trace}\n`), `before\n${full}`)
  })
})
