import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { workerOptions, workerScript } from '../../../../src/adapters/batch/slurm/worker-script.ts'

const SCRIPT = {
  jobName: 'run',
  options: [],
  workFolder: '/a',
  logFolder: '/b',
  command: ['bellis'],
  noticeSeconds: 60,
}

describe('the script of a worker under SLURM', () => {
  it('has SLURM name the log by the job, whose output has no other place', () => {
    assert.match(workerScript(SCRIPT), /^#SBATCH --output=\/b\/slurm-%A_%a.log$/m)
    assert.doesNotMatch(workerScript(SCRIPT), /^exec >>/m)
    assert.ok(workerOptions({ ...SCRIPT, logFolder: '/100%' }).includes('--output=/100%%/slurm-%A_%a.log'))
  })

  it('has the shell name it where the folder has a backslash, which turns off the names of SLURM', () => {
    const text = workerScript({ ...SCRIPT, logFolder: '/b\\c' })
    assert.match(text, /^#SBATCH --output=\/dev\/null$/m)
    assert.ok(text.includes(`\nexec >> '/b\\c/slurm-'"\${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID.log" 2>&1\n`), text)
  })
})
