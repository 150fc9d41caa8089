import { slurmQueue } from '../../../../src/adapters/batch/slurm/slurm-queue.ts'
import { describeBatchQueue } from '../../../contracts/batch-queue.contract.ts'
import { slurmOrSkip } from '../../../support/slurm.ts'

describeBatchQueue({
  name: 'SLURM',
  open: slurmQueue,
  clusterOrSkip: slurmOrSkip,
  waiting: '--hold',
  refused: ['--partition=nope', /^SLURM rejects workers with these options: invalid partition specified: nope;/],
  unknownId: '999999_0',
})
