import { slurmQueue } from '../../../../src/adapters/batch/slurm/slurm-queue.ts'
import { describeBatchQueue } from '../../../contracts/batch-queue.contract.ts'
import { describeJobLauncher } from '../../../support/job-launcher-contract.ts'
import { slurmOrSkip } from '../../../support/slurm.ts'

describeBatchQueue({
  name: 'SLURM',
  open: slurmQueue,
  clusterOrSkip: slurmOrSkip,
  waiting: '--hold',
  refused: ['--partition=nope', /^SLURM rejects workers with these options: invalid partition specified: nope;/],
  unknownId: '999999_0',
})

describeJobLauncher({
  name: 'SLURM',
  open: slurmQueue,
  clusterOrSkip: slurmOrSkip,
  count: async (cluster, jobName) =>
    (await cluster.run('squeue', '--noheader', '--name', jobName, '--states', 'PENDING,RUNNING')).trim().length,
})
