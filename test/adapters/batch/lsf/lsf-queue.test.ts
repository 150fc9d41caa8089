import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseBjobs } from '../../../../src/adapters/batch/lsf/bjobs-output.ts'
import { parseBsubOptions, warningOf } from '../../../../src/adapters/batch/lsf/bsub-options.ts'
import { lsfQueue } from '../../../../src/adapters/batch/lsf/lsf-queue.ts'
import { describeBatchQueue } from '../../../contracts/batch-queue.contract.ts'
import { describeJobLauncher } from '../../../support/job-launcher-contract.ts'
import { lsf } from '../../../support/lsf.ts'

describeBatchQueue({
  name: 'LSF',
  open: lsfQueue,
  clusterOrSkip: lsf,
  waiting: '-H',
  refused: ['-q nope', /^LSF rejects workers with these options: nope: No such queue/],
  unknownId: '999999[1]',
})

describeJobLauncher({
  name: 'LSF',
  open: lsfQueue,
  clusterOrSkip: lsf,
  async count(cluster, jobName) {
    const text = await cluster.run('/bin/sh', '-c', `bjobs -noheader -o "stat delimiter='|'" -J ${jobName} || true`)
    return text.split('\n').filter((state) => /^(RUN|PEND|PSUSP)$/.test(state)).length
  },
})

describe('what bjobs prints', () => {
  it('is read as the command reference of LSF shows it', () => {
    const text = [
      '12|1|RUN|4*n07:2*n08|-|-',
      '12|2|PEND|-|-|Job requirements for resource reservation (ngpus) not satisfied: 3 hosts;',
      '12|3|EXIT|n07|TERM_MEMLIMIT: job killed after reaching LSF memory usage limit|-',
      '12|4|PSUSP|-|-|-',
      '12|5|DONE|n07|-|-',
      '13|0|RUN|n07|-|-',
      '',
    ].join('\n')
    assert.deepEqual(
      [...parseBjobs(text)],
      [
        ['12[1]', { status: 'running', host: 'n07' }],
        [
          '12[2]',
          { status: 'pending', reason: 'Job requirements for resource reservation (ngpus) not satisfied: 3 hosts;' },
        ],
        [
          '12[3]',
          {
            status: 'ended',
            reason: 'its job failed: TERM_MEMLIMIT: job killed after reaching LSF memory usage limit',
            outOfMemory: {},
          },
        ],
        ['12[4]', { status: 'pending', reason: 'it is held; release it with bresume' }],
        ['12[5]', { status: 'ended', reason: 'its job ended' }],
      ],
    )
  })
})

describe('the options for bsub', () => {
  it('are words with their values; those that Bellis sets are refused with what to do', () => {
    const words = parseBsubOptions('-q short -W 4:00 -x -R "rusage[mem=4G] span[hosts=1]"')
    assert.deepEqual(words, ['-q', 'short', '-W', '4:00', '-x', '-R', 'rusage[mem=4G] span[hosts=1]'])
    assert.deepEqual(warningOf(words, 60), ['-wa', 'TERM', '-wt', '1'])
    assert.deepEqual(warningOf(['-q', 'short'], 60), [])
    assert.throws(() => parseBsubOptions('-J x'), /"-J" is not allowed: use --workers/)
    assert.throws(() => parseBsubOptions('-x true'), { code: 'INVALID_CONFIG', message: /"true" is not an option/ })
  })
})
