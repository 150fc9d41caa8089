import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { sgeQueue } from '../../../../src/adapters/batch/sge/sge-queue.ts'
import { readLogEnd } from '../../../../src/entry/workers/log-end.ts'
import { describeBatchQueue } from '../../../contracts/batch-queue.contract.ts'
import { temporaryFolder } from '../../../support/command-line.ts'
import { sgeOrSkip } from '../../../support/sge.ts'

describeBatchQueue({
  name: 'SGE',
  open: sgeQueue,
  clusterOrSkip: sgeOrSkip,
  waiting: '-h',
  refused: ['-q nope.q', /^SGE rejects workers with these options: Job was rejected .* unknown queue "nope.q"$/],
  unknownId: '999999.1',
})

describe('the options for qsub', () => {
  const commandOf = (options: string, folder = '/run') =>
    sgeQueue({ folder, jobName: 'bellis-x', command: ['worker'], options, readLog: readLogEnd })

  it('are part of the command to copy, with a soft limit before the hard one', () => {
    using folder = temporaryFolder()
    const lineOf = (options: string) => commandOf(options, folder.path).commandFor(4)
    const script = join(folder.path, 'sge', 'worker.sh')
    assert.equal(lineOf(''), `qsub -t 1-4 ${script}`)
    const limit = "-l 'h_rt=4:0:0' -pe smp 2 -p -5"
    assert.equal(lineOf(limit), `qsub -t 1-4 -l h_rt=4:0:0 -pe smp 2 -p -5 -l s_rt=14340 ${script}`)
    assert.equal(lineOf('-l mem_free=1G,h_rt=30'), `qsub -t 1-4 -l mem_free=1G,h_rt=30 -l s_rt=1 ${script}`)
    assert.equal(lineOf('-l h_rt=3600,s_rt=1800'), `qsub -t 1-4 -l h_rt=3600,s_rt=1800 ${script}`)
    assert.ok(existsSync(script))
    assert.doesNotMatch(readFileSync(script, 'utf8'), /h_rt/)
  })

  it('are refused if Bellis sets them itself, or if a word is not an option', () => {
    for (const [options, message] of [
      ['-t 1-3', '--sge: the option "-t" is not allowed: use --workers.'],
      ['-q a.q -sync y', '--sge: the option "-sync" is not allowed: no worker can be submitted with it.'],
      ['h_rt=1:0:0', /^--sge: "h_rt=1:0:0" is not an option of qsub; expected only options/],
      ['-V other.sh', /^--sge: "other.sh" is not an option of qsub/],
      ["-q 'a.q", "--sge contains an unclosed quote ': -q 'a.q"],
    ] as const) {
      assert.throws(() => commandOf(options), { name: 'ConfigError', code: 'INVALID_CONFIG', message })
    }
  })
})
