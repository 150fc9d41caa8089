import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseSacct } from '../../../../src/adapters/batch/slurm/sacct-output.ts'

const TEXT = `12_0|OUT_OF_MEMORY|4G|
12_0.batch|OUT_OF_MEMORY||4194000K
12_0.extern|COMPLETED||120K
12_1|CANCELLED by 1000|4G|
12_1.batch|CANCELLED||1G
12_2|RUNNING|4G|
13|OUT_OF_MEMORY||
`

describe('the accounts of SLURM', () => {
  it('say how jobs ended, and of those that ran out of memory what they requested and used', () => {
    const jobs = parseSacct(TEXT)
    const reason = 'its job used more memory than it requested (--mem)'
    assert.deepEqual(Object.fromEntries(jobs), {
      '12_0': { status: 'ended', reason, outOfMemory: { asked: '4G of memory', used: 4_194_000 * 1024 } },
      '12_1': { status: 'ended', reason: 'its job was cancelled' },
      '13': { status: 'ended', reason, outOfMemory: {} },
    })
  })
})
