import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseSbatchOptions } from '../../../../src/adapters/batch/slurm/sbatch-options.ts'

describe('the options for sbatch', () => {
  it('are split as a shell would', () => {
    assert.deepEqual(parseSbatchOptions('--partition=short  --time=4:00:00 --mem=4G'), [
      '--partition=short',
      '--time=4:00:00',
      '--mem=4G',
    ])
    assert.deepEqual(parseSbatchOptions(`-p short --comment="my 'best' volume" --account=a\\ b -C 'x&y'`), [
      '-p',
      'short',
      "--comment=my 'best' volume",
      '--account=a b',
      '-C',
      'x&y',
    ])
    assert.deepEqual(parseSbatchOptions('  '), [])
  })

  it('are refused if Bellis sets them itself, with what to do instead', () => {
    const cases: readonly (readonly [string, RegExp])[] = [
      ['--array=1-4', /--slurm: the option "--array=1-4" is not allowed: use --workers/],
      ['-a 1-4', /"-a"/],
      ['-p short -oout.txt', /"-oout.txt".*run's folder/],
      ['--wait', /"--wait"/],
      ['--chdir /tmp', /"--chdir"/],
      ['--job-name=x', /names its jobs/],
    ]
    for (const [text, message] of cases) {
      assert.throws(() => parseSbatchOptions(text), { code: 'INVALID_CONFIG', message }, text)
    }
    assert.deepEqual(parseSbatchOptions('--wait-all-nodes=1 --exclusive'), ['--wait-all-nodes=1', '--exclusive'])
  })

  it('are refused if a word is not an option, a quote is not closed, or there is a line break', () => {
    const refused = (text: string, message: RegExp) =>
      assert.throws(() => parseSbatchOptions(text), { name: 'ConfigError', code: 'INVALID_CONFIG', message })
    refused('short', /--slurm: "short" is not an option/)
    refused('--partition=short job.sh', /"job.sh"/)
    refused('--comment="a', /unclosed quote/)
    refused('--mem=4G\n#SBATCH --array=1-9', /line break/)
  })
})
