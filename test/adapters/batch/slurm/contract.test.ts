import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { slurmQueue } from '../../../../src/adapters/batch/slurm/slurm-queue.ts'
import { systemClock } from '../../../../src/entry/clock.ts'
import { readLogEnd } from '../../../../src/entry/workers/log-end.ts'
import { jobLauncher } from '../../../../src/runtime/launchers/job-launcher.ts'
import { describeBatchQueue } from '../../../contracts/batch-queue.contract.ts'
import { describeWorkerLauncher } from '../../../contracts/worker-launcher.contract.ts'
import { until } from '../../../support/processes.ts'
import { slurmOrSkip } from '../../../support/slurm.ts'
import { temporaryFolder } from '../../../support/zarr.ts'

describeBatchQueue({
  name: 'SLURM',
  open: slurmQueue,
  clusterOrSkip: slurmOrSkip,
  waiting: '--hold',
  refused: ['--partition=nope', /^SLURM rejects workers with these options: invalid partition specified: nope;/],
  unknownId: '999999_0',
})

/** Says its name, and runs until there is a file `end-<name>`. */
const WORKER =
  'name=$(echo "$BELLIS_WORKER" | cut -d: -f1); echo "said by $name"; until [ -e "end-$name" ]; do sleep 0.1; done'
let opened = 0

describeWorkerLauncher('jobs of SLURM', {
  lastOutput: /^said by w1$/m,
  ownEnd: /; SLURM job /,
  async open(t) {
    const cluster = await slurmOrSkip(t)
    if (cluster === undefined) return undefined
    Object.assign(process.env, cluster.env)
    const folder = await temporaryFolder(t)
    const jobName = `bellis-launcher-${++opened}`
    const queue = slurmQueue({
      folder,
      jobName,
      command: ['/bin/sh', '-c', WORKER],
      workFolder: folder,
      readLog: readLogEnd,
    })
    return {
      launcher: jobLauncher({ queue, clock: systemClock }),
      async started(worker) {
        const hasPrinted = (file: string) => existsSync(file) && readFileSync(file).length > 0
        await until('its job has printed its name', () => worker.logFile !== undefined && hasPrinted(worker.logFile))
      },
      askToEnd: (_, id) => writeFileSync(join(folder, `end-${id}`), ''),
      count: async () =>
        (await cluster.run('squeue', '--noheader', '--name', jobName, '--states', 'PENDING,RUNNING')).trim().length,
    }
  },
})
