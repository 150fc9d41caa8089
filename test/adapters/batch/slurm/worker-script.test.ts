import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { workerScript } from '../../../../src/adapters/batch/slurm/worker-script.ts'

describe('the script of a worker under SLURM', () => {
  it('refuses line breaks in folders and options: what follows would be a command', () => {
    const script = {
      jobName: 'run',
      options: [],
      workFolder: '/a',
      logFolder: '/b',
      command: ['bellis'],
      noticeSeconds: 60,
    }
    assert.match(workerScript(script), /^#SBATCH --chdir=\/a$/m)
    for (const wrong of [
      { workFolder: 'evil\ntouch INJECTED\n#' },
      { logFolder: '/b\nx' },
      { options: ['--comment=a\rb'] },
    ]) {
      assert.throws(() => workerScript({ ...script, ...wrong }), { code: 'INVALID_CONFIG', message: /line breaks/ })
    }
  })
})
