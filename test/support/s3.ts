import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Skippable } from './cluster.ts'
import { disposing, endOf, type ObjectServer, startProxy, untilItAnswers } from './object-server.ts'

const script = fileURLToPath(new URL('../../scripts/s3-env.mjs', import.meta.url))
const versitygw = spawnSync(process.execPath, [script, 'path'], { encoding: 'utf8' }).stdout.trim()
const MISSING = 'no S3 server for tests: node scripts/s3-env.mjs builds one'

export interface S3Server extends ObjectServer {
  makeBucket(name: string): void
}

const KEYS = { AWS_ACCESS_KEY_ID: 'bellis-tests', AWS_SECRET_ACCESS_KEY: 'not a secret/at+all' }

/**
 * A real S3 server behind a proxy of this process, which can do all that goes wrong on a network. If there is none, the test is skipped with a
 * message, or fails if the variable `CI` is set.
 */
export async function s3OrSkip(t: Skippable): Promise<S3Server | undefined> {
  if (versitygw !== '') return startS3()
  if (process.env.CI) throw new Error(MISSING)
  t.skip(MISSING)
  return undefined
}

async function startS3(): Promise<S3Server> {
  const folder = mkdtempSync(join(tmpdir(), 'bellis-s3-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  for (const name of ['data', 'side']) mkdirSync(join(folder, name))
  const socket = join(folder, 's3.sock')
  let running = await startServer(folder, socket)
  const proxy = await startProxy(
    () => ({ socketPath: socket }),
    (code) => ({
      type: 'application/xml',
      text: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>As the test says.</Message></Error>`,
    }),
  )
  const { endpoint } = proxy
  return Object.assign(proxy, {
    env: {
      ...KEYS,
      AWS_ENDPOINT_URL: endpoint,
      AWS_REGION: 'us-east-1',
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_CONFIG_FILE: join(folder, 'no-config'),
      AWS_SHARED_CREDENTIALS_FILE: join(folder, 'no-credentials'),
    },
    kill: () => endOf(running),
    async restart() {
      running = await startServer(folder, socket)
    },
    makeBucket: (name: string) => void mkdirSync(join(folder, 'data', name)),
    [Symbol.asyncDispose]: disposing(proxy, async () => {
      await endOf(running)
      rmSync(folder, { recursive: true, force: true })
    }),
  })
}

async function startServer(folder: string, socket: string): Promise<ChildProcess> {
  rmSync(socket, { force: true })
  const options = ['--quiet', '--port', socket, 'posix', '--sidecar', join(folder, 'side'), join(folder, 'data')]
  const env = { ...process.env, ROOT_ACCESS_KEY: KEYS.AWS_ACCESS_KEY_ID, ROOT_SECRET_KEY: KEYS.AWS_SECRET_ACCESS_KEY }
  const child = spawn(versitygw, options, { cwd: folder, env, detached: true, stdio: ['ignore', 'ignore', 'pipe'] })
  let errors = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  await untilItAnswers(child, { path: socket }, () => errors)
  ;(child.stderr as unknown as { unref(): void }).unref()
  return child
}
