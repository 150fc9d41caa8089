import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Skippable } from './cluster.ts'
import { disposing, endOf, type ObjectServer, type PortServer, startOnFreePort, startProxy } from './object-server.ts'

const script = fileURLToPath(new URL('../../scripts/gs-env.mjs', import.meta.url))
const program = spawnSync(process.execPath, [script, 'path'], { encoding: 'utf8' }).stdout.trim()
const MISSING = 'no server of Google Cloud Storage for tests: node scripts/gs-env.mjs builds one'

/**
 * A server of Google Cloud Storage's interface behind a proxy of this process. If there is none, the test is skipped with a message, or fails
 * if the variable `CI` is set.
 */
export async function gsOrSkip(t: Skippable): Promise<ObjectServer | undefined> {
  if (program !== '') return startGs()
  if (process.env.CI) throw new Error(MISSING)
  t.skip(MISSING)
  return undefined
}

async function startGs(): Promise<ObjectServer> {
  const folder = mkdtempSync(join(tmpdir(), 'bellis-gs-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  let running = await startServer(folder)
  const proxy = await startProxy(
    () => ({ host: '127.0.0.1', port: running.port }),
    (reason, code) => ({
      type: 'application/json',
      text: JSON.stringify({ error: { code, message: 'As the test says.', errors: [{ reason }] } }),
    }),
  )
  const { endpoint } = proxy
  return Object.assign(proxy, {
    env: { STORAGE_EMULATOR_HOST: endpoint, NO_GCE_CHECK: 'true' },
    kill: () => endOf(running.child),
    async restart() {
      running = await startServer(folder)
    },
    async makeBucket(name: string) {
      const { status } = await fetch(`${endpoint}/storage/v1/b?project=tests`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name }),
      })
      if (status !== 200) throw new Error(`can't make the bucket ${name}: ${status}`)
    },
    [Symbol.asyncDispose]: disposing(proxy, async () => {
      await endOf(running.child)
      rmSync(folder, { recursive: true, force: true })
    }),
  })
}

const startServer = (folder: string): Promise<PortServer> =>
  startOnFreePort((port) => {
    const options = ['-scheme', 'http', '-host', '127.0.0.1', '-port', String(port), '-filesystem-root', folder]
    return spawn(program, [...options, '-log-level', 'error'], { detached: true, stdio: ['ignore', 'ignore', 'pipe'] })
  })
