import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { threadLauncher } from '../../../src/adapters/threads/thread-launcher.ts'
import { readLogEnd } from '../../../src/entry/workers/log-end.ts'
import { describeWorkerLauncher } from '../../contracts/worker-launcher.contract.ts'
import { until } from '../../support/processes.ts'
import { temporaryFolder } from '../../support/zarr.ts'

describeWorkerLauncher('threads', {
  lastOutput: /^said by a thread$/,
  ownEnd: /^exit code 3$/,
  async open(t) {
    const folder = await temporaryFolder(t)
    const launcher = threadLauncher({
      program: new URL('../../support/launched-worker.ts', import.meta.url),
      logFileOf: (id) => join(folder, 'logs', `${id}.log`),
      readLog: readLogEnd,
    })
    return {
      launcher,
      async started({ logFile = '' }) {
        await until('the worker has printed its name', () => existsSync(logFile) && readFileSync(logFile).length > 0)
      },
      askToEnd: ({ channel }) => channel?.send({ type: 'drain' }),
    }
  },
})
