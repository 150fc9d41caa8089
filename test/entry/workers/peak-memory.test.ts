import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import {
  forgetProgramMemory,
  noteProgramMemory,
  ownPeakMemory,
  programsPeakMemory,
} from '../../../src/entry/workers/peak-memory.ts'

const LARGE = 400e6
const module = new URL('../../../src/entry/workers/peak-memory.ts', import.meta.url).href

describe('the peak memory of a process', () => {
  it('stays the same when memory is freed', () => {
    let large: Buffer | undefined = Buffer.alloc(LARGE, 1)
    const peak = ownPeakMemory()
    assert.ok(peak > LARGE && peak < 10 * LARGE, `${peak} of ${large.length}`)
    large = undefined
    assert.ok(ownPeakMemory() >= peak)
  })

  it('is its own peak, not that of the process that started it', { skip: process.platform !== 'linux' }, async () => {
    const large = Buffer.alloc(LARGE, 1)
    const program = `import { ownPeakMemory } from ${JSON.stringify(module)}; console.log(ownPeakMemory())`
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program])
    assert.ok(Number(stdout) > 10e6 && Number(stdout) < large.length, stdout)
  })
})

describe('the peak memory of programs', () => {
  it('is the sum over the programs that ran at the same time, by their last reports', () => {
    const [one, other, third] = [{}, {}, {}]
    noteProgramMemory(one, 100)
    noteProgramMemory(one, 150)
    noteProgramMemory(other, 50)
    assert.equal(programsPeakMemory(), 200)
    forgetProgramMemory(one)
    noteProgramMemory(third, 120)
    assert.equal(programsPeakMemory(), 200)
    noteProgramMemory(third, 160)
    assert.equal(programsPeakMemory(), 210)
  })
})
