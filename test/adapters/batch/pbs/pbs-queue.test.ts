import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { pbsQueue } from '../../../../src/adapters/batch/pbs/pbs-queue.ts'
import { parseQstat, toJobState } from '../../../../src/adapters/batch/pbs/qstat-output.ts'
import { parsePbsOptions } from '../../../../src/adapters/batch/pbs/qsub-options.ts'
import { describeBatchQueue } from '../../../contracts/batch-queue.contract.ts'
import { describeJobLauncher } from '../../../support/job-launcher-contract.ts'
import { torqueOrSkip } from '../../../support/torque.ts'

describeBatchQueue({
  name: 'PBS',
  open: pbsQueue,
  clusterOrSkip: torqueOrSkip,
  waiting: '-h',
  refused: ['-q nope', /^PBS rejects workers with these options: .*invalid partition specified: nope/],
  unknownId: '999999',
})

describeJobLauncher({
  name: 'PBS',
  open: pbsQueue,
  clusterOrSkip: torqueOrSkip,
  count: async (cluster, jobName) =>
    parseQstat(await cluster.run('/bin/sh', '-c', 'qstat -f || true')).filter(
      (job) => job.name.startsWith(`${jobName}.`) && toJobState(job).status !== 'ended',
    ).length,
})

describe('what qstat prints', () => {
  it('is read as Torque, OpenPBS and PBS Professional print it', () => {
    // The forms of the manuals: Torque 6.1 (qstat -f), PBS Professional 2021 (Reference Guide, qstat -f and -x).
    const torque = [
      'Job Id: 4807.head.cluster.org',
      '    Job_Name = bellis-run.1',
      '    job_state = R',
      '    exec_host = n07/0+n07/1',
      '    Variable_List = PBS_O_HOME=/home/me,PBS_O_PATH=/usr/bin,',
      '\tBELLIS_NAMES=workers-1',
      '',
    ].join('\n')
    const pro = [
      'Job Id: 12.pbs',
      '    Job_Name = bellis-run.2',
      '    job_state = Q',
      '    comment = Not Running: Insufficient amount of resource: ngpus (R: 1 A: ',
      '\t0 T: 0)',
      '',
      'Job Id: 13.pbs',
      '    Job_Name = bellis-run.3',
      '    job_state = F',
      '    Exit_status = 271',
      '',
    ].join('\n')
    assert.deepEqual(
      parseQstat(torque + pro).map((job) => [job.id, job.name, toJobState(job)]),
      [
        ['4807.head.cluster.org', 'bellis-run.1', { status: 'running', host: 'n07' }],
        [
          '12.pbs',
          'bellis-run.2',
          { status: 'pending', reason: 'Not Running: Insufficient amount of resource: ngpus (R: 1 A: 0 T: 0)' },
        ],
        [
          '13.pbs',
          'bellis-run.3',
          { status: 'ended', reason: 'its job was ended by signal 15, as at its -l walltime or mem limit' },
        ],
      ],
    )
  })
})

describe('a job of PBS that has used all its memory', () => {
  const jobOf = (lines: readonly string[]) => {
    const [job] = parseQstat(['Job Id: 14.pbs', '    job_state = C', ...lines.map((line) => `    ${line}`)].join('\n'))
    return toJobState(job)
  }

  it('ran out of memory, with what it asked for and used', () => {
    assert.deepEqual(jobOf(['exit_status = 271', 'resources_used.mem = 4200000kb', 'Resource_List.mem = 4gb']), {
      status: 'ended',
      reason: 'its job used more memory than it asked for',
      outOfMemory: { asked: '-l mem=4gb', used: 4_200_000 * 1024 },
    })
    const virtual = jobOf(['exit_status = 137', 'resources_used.vmem = 2gb', 'Resource_List.pvmem = 256mw'])
    assert.deepEqual(virtual.status === 'ended' && virtual.outOfMemory, { asked: '-l pvmem=256mw', used: 2 ** 31 })
  })

  it('did not, if it used less, asked for none, or ended well', () => {
    for (const lines of [
      ['exit_status = 271', 'resources_used.mem = 4000000kb', 'Resource_List.mem = 4gb'],
      ['exit_status = 271', 'resources_used.mem = 4200000kb'],
      ['exit_status = 0', 'resources_used.mem = 4200000kb', 'Resource_List.mem = 4gb'],
    ]) {
      const state = jobOf(lines)
      assert.deepEqual([state.status, 'outOfMemory' in state], ['ended', false], lines.join())
    }
  })
})

describe('the options for qsub of PBS', () => {
  it('are words with their values; those that Bellis sets are refused with what to do', () => {
    assert.deepEqual(parsePbsOptions('-q short -l walltime=1:00:00,nodes=1:ppn=4 -W group_list=bio'), [
      ...['-q', 'short', '-l', 'walltime=1:00:00,nodes=1:ppn=4', '-W', 'group_list=bio'],
    ])
    assert.throws(() => parsePbsOptions('-t 1-4'), /"-t" is not allowed: use --workers/)
    assert.throws(() => parsePbsOptions('short'), { code: 'INVALID_CONFIG', message: /"short" is not an option/ })
  })
})
