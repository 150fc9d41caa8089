import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const script = fileURLToPath(new URL('../../scripts/mongodb-env.mjs', import.meta.url))
const ferretdb = spawnSync(process.execPath, [script, 'path'], { encoding: 'utf8' }).stdout.trim()

/** The part of a test's (or suite's) context that skipping needs. */
interface Skippable {
  skip(message?: string): void
}

/** A FerretDB that belongs to one test, which may kill it. */
export interface MongodbServer extends AsyncDisposable {
  /** `mongodb://127.0.0.1:PORT/`, without a database */
  readonly url: string
  readonly port: number
  /** Kills it, whatever it is doing; its data stays. */
  kill(): Promise<void>
  /** Starts it again at the same address, with its data. */
  restart(): Promise<void>
  /** Stops it from answering until it is thawed. */
  freeze(): void
  thaw(): void
}

const MISSING = 'no MongoDB server for tests: node scripts/mongodb-env.mjs builds one, or set BELLIS_TEST_MONGODB_URL'

let shared: Promise<MongodbServer> | undefined
let databases = 0

/**
 * The address of a new database on a real server: `BELLIS_TEST_MONGODB_URL`, or a FerretDB that ends with this process. If
 * there is none, the test is skipped with a message, or fails if the variable `CI` is set.
 */
export async function mongodbOrSkip(t: Skippable): Promise<string | undefined> {
  const given = process.env.BELLIS_TEST_MONGODB_URL
  if (given === undefined || given === '') {
    if (isMissing(t)) return undefined
    shared ??= startMongodb()
  }
  const url = new URL(given || (await (shared as Promise<MongodbServer>)).url)
  url.pathname = `/bellis_test_${process.pid}_${Date.now().toString(36)}_${databases++}`
  return url.href
}

/** A server that the test may kill. Skips or fails as above; `BELLIS_TEST_MONGODB_URL` is not used. */
export async function ownMongodbOrSkip(t: Skippable): Promise<MongodbServer | undefined> {
  return isMissing(t) ? undefined : await startMongodb()
}

function isMissing(t: Skippable): boolean {
  if (ferretdb !== '') return false
  if (process.env.CI) throw new Error(MISSING)
  t.skip(MISSING)
  return true
}

async function startMongodb(): Promise<MongodbServer> {
  const folder = mkdtempSync(join(tmpdir(), 'bellis-ferretdb-'))
  mkdirSync(join(folder, 'data'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  let running = await startProgram('127.0.0.1:0', folder)
  const url = running.url
  const port = Number(new URL(url).port)
  return {
    url,
    port,
    kill: () => running.kill(),
    async restart() {
      running = await startProgram(`127.0.0.1:${port}`, folder)
    },
    freeze: () => running.signal('SIGSTOP'),
    thaw: () => running.signal('SIGCONT'),
    async [Symbol.asyncDispose]() {
      await running.kill()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

interface Program {
  readonly url: string
  signal(name: NodeJS.Signals): void
  kill(): Promise<void>
}

async function startProgram(address: string, folder: string): Promise<Program> {
  // In its folder, where it leaves a file of its state; in its own process group, so that Ctrl-C reaches the tests only.
  const child = spawn(ferretdb, [address, join(folder, 'data')], {
    cwd: folder,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  let url: string | undefined
  for await (const line of createInterface({ input: child.stdout })) {
    url = line
    break
  }
  if (url === undefined) throw new Error(`FerretDB did not start: ${errors.trim()}`)
  child.unref()
  // The pipes stay open as long as this process runs, but don't keep it running.
  for (const pipe of [child.stdin, child.stdout, child.stderr]) (pipe as unknown as { unref(): void }).unref()
  return {
    url,
    signal: (name) => void child.kill(name),
    kill() {
      child.ref()
      child.kill('SIGKILL')
      return ended
    },
  }
}
