import { lookup } from 'node:dns/promises'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { hostname, networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { parseContext, type RunContext, showContext } from '../../adapters/links/context.ts'
import type { TcpListener } from '../../adapters/links/tcp-listener.ts'
import { ConfigError } from '../../core/errors.ts'

/** The file in a run's folder that lets workers in, while the run is on. */
const FILE = 'context'
const LOOPBACK = /^(127\.|::1$|localhost$)/
const ANY = new Set(['0.0.0.0', '::'])

/** How a started run is reached. */
export interface RunAddress {
  /** For workers of this machine. */
  readonly local: string
  /** For workers of other machines; the same as `local` where the run listens on loopback alone. */
  readonly remote: string
  readonly isLoopback: boolean
}

/** @param host what the run was told to listen at */
export async function addressOf(listener: TcpListener, host: string): Promise<RunAddress> {
  const { token, port, fingerprint } = listener
  const show = (name: string) =>
    showContext({ host: name, port, token, ...(fingerprint === undefined ? {} : { fingerprint }) })
  const isAny = ANY.has(host)
  return {
    local: show(isAny ? '127.0.0.1' : host),
    remote: show(isAny ? await publicName() : host),
    isLoopback: LOOPBACK.test(host),
  }
}

/** A name or address by which other machines are likely to reach this one. */
async function publicName(): Promise<string> {
  const name = hostname()
  const resolved = await lookup(name).catch(() => undefined)
  if (resolved !== undefined && !LOOPBACK.test(resolved.address)) return name
  const outside = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ internal, family }) => !internal && family === 'IPv4')
  return outside?.address ?? name
}

/** Writes the file, for this user alone. It is gone when disposed, unless another start of the run has replaced it. */
export function writeContextFile(folder: string, context: string): Disposable {
  mkdirSync(folder, { recursive: true })
  const path = join(folder, FILE)
  const temporary = `${path}.${process.pid}`
  rmSync(temporary, { force: true })
  writeFileSync(temporary, `${context}\n`, { mode: 0o600, flag: 'wx' })
  renameSync(temporary, path)
  return {
    [Symbol.dispose]: () => {
      try {
        if (readFileSync(path, 'utf8').trim() === context) rmSync(path)
      } catch {
        // It is gone already.
      }
    },
  }
}

/**
 * The folder of a run that is named by its folder's name or path.
 * @throws ConfigError `NO_SUCH_FILE`
 */
export function findRunFolder(run: string, home: string): string {
  const folder = [run, join(home, run)].find((path) => existsSync(path) && statSync(path).isDirectory())
  if (folder !== undefined) return folder
  throw new ConfigError('NO_SUCH_FILE', `There is no run "${run}": neither a folder of that path nor one in ${home}.`)
}

/**
 * Says where the coordinator is, anew each time where a file says it: a run that is started again has another context.
 * @param run a run's folder or its name; without it `context` counts, what BELLIS_CONTEXT has
 * @param home where runs' folders are
 * @throws ConfigError `NO_SUCH_FILE`, `INVALID_CONFIG`
 */
export function contextReader(run: string | undefined, context: string | undefined, home: string): () => RunContext {
  if (run !== undefined) {
    const folder = findRunFolder(run, home)
    return () => readContextFile(folder)
  }
  if (context === undefined) {
    throw new ConfigError('INVALID_CONFIG', 'Which run? Give its folder or name, or set BELLIS_CONTEXT.')
  }
  return () => parseContext(context)
}

/** @throws ConfigError `NO_SUCH_FILE` when the run is not on */
export function readContextFile(folder: string): RunContext {
  const path = join(folder, FILE)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new ConfigError('NO_SUCH_FILE', `The run in ${folder} is not on: there is no ${path} to read.`, {
      cause: error,
    })
  }
  return parseContext(text)
}
