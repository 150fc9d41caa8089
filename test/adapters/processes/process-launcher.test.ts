import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { processLauncher } from '../../../src/adapters/processes/process-launcher.ts'
import { readLogEnd } from '../../../src/entry/workers/log-end.ts'
import { describeWorkerLauncher } from '../../contracts/worker-launcher.contract.ts'
import { childrenOf, until } from '../../support/processes.ts'
import { temporaryFolder } from '../../support/zarr.ts'

for (const [name, maxLogBytes] of [
  ['processes', undefined],
  ['processes whose logs are limited', 2 ** 20],
] as const)
  describeWorkerLauncher(name, {
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
        maxLogBytes,
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

describe('a worker process', () => {
  const printer = new URL('../../support/print-environment.mjs', import.meta.url)

  it('gets the environment of the run, but not its database', async (t) => {
    const folder = await temporaryFolder(t)
    process.env.BELLIS_DB = 'mongodb://jane:sesame@db.lab/x'
    t.after(() => delete process.env.BELLIS_DB)
    const logFile = join(folder, 'log')
    await using launcher = processLauncher({
      program: printer,
      lockFile: join(folder, 'lock'),
      context: 'none',
      logFileOf: () => logFile,
      readLog: readLogEnd,
    })
    await (await launcher.launch('w1', 's')).exited
    const { BELLIS_CONTEXT, BELLIS_DB, PATH } = JSON.parse(readFileSync(logFile, 'utf8'))
    assert.deepEqual([BELLIS_CONTEXT, BELLIS_DB, PATH], ['none', undefined, process.env.PATH])
  })

  it('waits to be started while no more files can be opened', async (t) => {
    const folder = await temporaryFolder(t)
    const source = new URL('../../../src/', import.meta.url).href
    const script = `
      import { closeSync, openSync } from 'node:fs'
      const { processLauncher } = await import('${source}adapters/processes/process-launcher.ts')
      await using launcher = processLauncher({
        program: new URL('${printer.href}'), lockFile: 'lock', context: 'none', logFileOf: () => 'log', readLog: async () => '',
      })
      const files = []
      try { for (;;) files.push(openSync('/dev/null')) } catch (error) { console.log(error.code) }
      const launching = launcher.launch('w1', 's')
      launching.catch(() => {})
      setImmediate(() => { for (const file of files) closeSync(file) })
      console.log((await (await launching).exited).reason)`
    writeFileSync(join(folder, 'script.mjs'), script)
    const command = 'ulimit -n 100; exec "$0" script.mjs'
    const { stdout, stderr } = spawnSync('sh', ['-c', command, process.execPath], {
      cwd: folder,
      encoding: 'utf8',
      timeout: 10_000,
    })
    assert.match(stdout, /^EMFILE\nexit code 0\n$/, stderr)
  })
})
