import { writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { BatchQueue, BatchQueueOptions } from '../../src/adapters/batch/batch-queue.ts'
import { systemClock } from '../../src/entry/clock.ts'
import { readLogEnd } from '../../src/entry/workers/log-end.ts'
import { jobLauncher } from '../../src/runtime/launchers/job-launcher.ts'
import { describeWorkerLauncher } from '../contracts/worker-launcher.contract.ts'
import type { Cluster, Skippable } from './cluster.ts'
import { untilAsync } from './drive.ts'
import { until } from './processes.ts'
import { temporaryFolder } from './zarr.ts'

export interface JobLauncherSystem {
  readonly name: string
  readonly open: (options: BatchQueueOptions) => BatchQueue
  /** Options without which no job can be submitted. @default '' */
  readonly required?: string
  readonly clusterOrSkip: (t: Skippable) => Promise<Cluster | undefined>
  /** 0 once no job with this name is left that waits or runs. */
  readonly count: (cluster: Cluster, jobName: string) => Promise<number>
}

/** Says its name, and runs until there is a file `end-<name>`. */
const WORKER =
  'name=$(echo "$BELLIS_WORKER" | cut -d: -f1); echo "said by $name"; until [ -e "end-$name" ]; do sleep 0.1; done'
let opened = 0

/** The contract of launchers, for the jobs of a batch system. */
export function describeJobLauncher({ name, open, required = '', clusterOrSkip, count }: JobLauncherSystem): void {
  describeWorkerLauncher(`jobs of ${name}`, {
    lastOutput: /^said by w1$/m,
    ownEnd: new RegExp(`; ${name} job `),
    async open(t) {
      const cluster = await clusterOrSkip(t)
      if (cluster === undefined) return undefined
      Object.assign(process.env, cluster.env)
      const folder = await temporaryFolder(t)
      const jobName = `bellis-launcher-${++opened}`
      writeFileSync(join(folder, 'context'), 'bellis://secret@nowhere:1\n', { mode: 0o600 })
      const queue = open({
        folder,
        jobName,
        command: ['/bin/sh', '-c', WORKER],
        workFolder: folder,
        readLog: readLogEnd,
        options: required,
      })
      return {
        launcher: jobLauncher({ queue, clock: systemClock }),
        async started(worker) {
          await until('its job was accepted', () => worker.logFile !== undefined)
          // `sge-7.1.log` is the log of 7.1.
          const jobId = basename(worker.logFile as string, '.log').replace(/^[a-z]+-/, '')
          await untilAsync('its job has printed its name', async () => (await queue.lastOutputOf(jobId)) !== '')
        },
        askToEnd: (_, id) => writeFileSync(join(folder, `end-${id}`), ''),
        count: () => count(cluster, jobName),
      }
    },
  })
}
