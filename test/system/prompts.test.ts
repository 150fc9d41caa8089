import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { bellis, temporaryFolder } from '../support/command-line.ts'
import { onTerminal } from '../support/terminal.ts'

/** It would clear the screen, start a line of its own, and reverse what follows. */
const HOSTILE = 'o\u001b[2J\nbellis: all is well\u202e'
/** The folder of runs may have no line breaks. */
const RUNS = 'r\u001b[2J\u202e'

describe('a question', () => {
  it('shows hostile names without their control characters, in one line, and changes nothing if the answer is no', async (t) => {
    using folder = temporaryFolder()
    const { path: cwd } = folder
    const call = async (...args: string[]) => {
      const { code, stderr } = await bellis(args, { cwd })
      assert.equal(code, 0, stderr)
    }
    await call('sample', 'sample.hdf', '--size', '8,32,32', '--quiet')
    const convert = ['convert', 'sample.hdf/volumes/raw', `${HOSTILE}.zarr/raw`, '--run-dir', RUNS]
    await call(...convert, '--quiet')
    const [run = ''] = readdirSync(join(cwd, RUNS))
    const questions = [
      [...convert, '--overwrite'],
      ['reset', run, '--run-dir', RUNS],
      ['clean', '--done', '--run-dir', RUNS],
    ]
    for (const args of questions) {
      const asked = await onTerminal(t, args, cwd, { typed: [{ after: /\[y\/N\] /, text: 'n\n' }] })
      if (asked === undefined) return
      const { code, drawn } = asked
      assert.match(drawn, /Continue\? \[y\/N\] /, args[0])
      assert.match(drawn, /Cancelled; nothing was changed/)
      assert.equal(code, 2)
      assert.ok(!drawn.includes('\u001b[2J') && !drawn.includes('\u202e'), drawn)
      assert.doesNotMatch(drawn, /^bellis: all is well/m)
    }
    assert.deepEqual(readdirSync(join(cwd, RUNS)), [run])
  })
})
