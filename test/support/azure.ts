import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sharedKeyHeader } from '../../src/adapters/azure/shared-key.ts'
import type { Skippable } from './cluster.ts'
import { disposing, endOf, type ObjectServer, type PortServer, startOnFreePort, startProxy } from './object-server.ts'

const script = fileURLToPath(new URL('../../scripts/azure-env.mjs', import.meta.url))
const program = spawnSync(process.execPath, [script, 'path'], { encoding: 'utf8' }).stdout.trim()
const MISSING = 'no Azure Blob Storage for tests: node scripts/azure-env.mjs installs one'

export const ACCOUNT = 'tests'
export const ACCOUNT_KEY = Buffer.from('not a secret at all').toString('base64')

/** Azurite behind a proxy of this process. If there is none, the test is skipped with a message, or fails if the variable `CI` is set. */
export async function azureOrSkip(t: Skippable): Promise<ObjectServer | undefined> {
  if (program !== '') return startAzure()
  if (process.env.CI) throw new Error(MISSING)
  t.skip(MISSING)
  return undefined
}

async function startAzure(): Promise<ObjectServer> {
  const folder = mkdtempSync(join(tmpdir(), 'bellis-azure-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  let running = await startServer(folder)
  const proxy = await startProxy(
    () => ({ host: '127.0.0.1', port: running.port }),
    (code) => ({
      type: 'application/xml',
      text: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>As the test says.\nRequestId:1</Message></Error>`,
    }),
  )
  const connection = `AccountName=${ACCOUNT};AccountKey=${ACCOUNT_KEY};BlobEndpoint=${proxy.endpoint}/${ACCOUNT}`
  return Object.assign(proxy, {
    env: { AZURE_STORAGE_CONNECTION_STRING: connection },
    // It has its list of blobs in memory, and writes it when it is asked to end.
    kill: () => endOf(running.child, 'SIGTERM'),
    async restart() {
      running = await startServer(folder)
    },
    makeBucket: (name: string) => makeContainer(proxy.endpoint, name),
    [Symbol.asyncDispose]: disposing(proxy, async () => {
      await endOf(running.child)
      rmSync(folder, { recursive: true, force: true })
    }),
  })
}

const startServer = (folder: string): Promise<PortServer> =>
  startOnFreePort((port) => {
    const options = ['--blobHost', '127.0.0.1', '--blobPort', String(port), '--location', folder, '--silent']
    return spawn(process.execPath, [program, ...options, '--disableTelemetry', '--skipApiVersionCheck'], {
      cwd: folder,
      env: { ...process.env, AZURITE_ACCOUNTS: `${ACCOUNT}:${ACCOUNT_KEY}` },
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
  })

async function makeContainer(endpoint: string, name: string): Promise<void> {
  const url = new URL(`${endpoint}/${ACCOUNT}/${name}?restype=container`)
  const headers = { 'x-ms-date': new Date().toUTCString(), 'x-ms-version': '2021-12-02' }
  const authorization = sharedKeyHeader({ method: 'PUT', url, headers, bytes: 0 }, ACCOUNT, ACCOUNT_KEY)
  const { status } = await fetch(url, { method: 'PUT', headers: { ...headers, authorization } })
  if (status !== 201) throw new Error(`can't make the container ${name}: ${status}`)
}
