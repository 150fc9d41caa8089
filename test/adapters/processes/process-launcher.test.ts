import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { processLauncher } from '../../../src/adapters/processes/process-launcher.ts'
import { readLogEnd } from '../../../src/entry/workers/log-end.ts'
import { describeWorkerLauncher } from '../../contracts/worker-launcher.contract.ts'
import { childrenOf, until } from '../../support/processes.ts'
import { temporaryFolder } from '../../support/zarr.ts'

describeWorkerLauncher('processes', {
  lastOutput: /^said by w1$/,
  ownEnd: /^exit code 3$/,
  async open(t) {
    const folder = await temporaryFolder(t)
    const launcher = processLauncher({
      program: new URL('../../support/launched-worker.ts', import.meta.url),
      lockFile: join(folder, 'lock'),
      context: 'none',
      logFileOf: (id) => join(folder, 'logs', `${id}.log`),
      cwd: folder,
      readLog: readLogEnd,
    })
    return {
      launcher,
      async started({ logFile = '' }) {
        await until('the worker has printed its name', () => existsSync(logFile) && readFileSync(logFile).length > 0)
      },
      askToEnd: (_, id) => writeFileSync(join(folder, `end-${id}`), ''),
      count: () => childrenOf(process.pid).length,
    }
  },
})
