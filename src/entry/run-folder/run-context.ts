import { lookup } from 'node:dns/promises'
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { hostname, networkInterfaces } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { openBelow } from '../../adapters/files/open-file.ts'
import { parseContext, type RunContext, showContext } from '../../adapters/links/context.ts'
import type { TcpListener } from '../../adapters/links/tcp-listener.ts'
import { isAnyAddress, isLoopback, LOCAL_HOST, outsideAddressesOf } from '../../core/addresses.ts'
import { ConfigError } from '../../core/errors.ts'
import { ownCommand } from '../own-command.ts'
import { CONTEXT_FILE, DOCUMENT, readRunDocument } from './run-folder.ts'
import { absolutePath, keptOutputs } from './run-place.ts'
import { listRuns } from './run-state.ts'

/** How workers reach a running run. */
export interface RunAddress {
  /** For workers on this machine. */
  readonly local: string
  /** For workers on other machines; the same as `local` if the run listens on loopback only. */
  readonly remote: string
  readonly isLoopback: boolean
}

/** @param host the address that the run listens at */
export async function addressOf(listener: TcpListener, host: string): Promise<RunAddress> {
  const { token, port, fingerprint } = listener
  const show = (name: string) =>
    showContext({ host: name, port, token, ...(fingerprint === undefined ? {} : { fingerprint }) })
  const isAny = isAnyAddress(host)
  return {
    local: show(isAny ? LOCAL_HOST : host),
    remote: show(isAny ? await publicName() : host),
    isLoopback: isLoopback(host),
  }
}

/** A name or address by which other machines are likely to reach this one. */
async function publicName(): Promise<string> {
  const name = hostname()
  const resolved = await lookup(name).catch(() => undefined)
  if (resolved !== undefined && !isLoopback(resolved.address)) return name
  return outsideAddressesOf(networkInterfaces())[0] ?? name
}

/** Writes the context file, readable by this user only. Disposing removes it, unless another start of the run has replaced it. */
export function writeContextFile(folder: string, context: string): Disposable {
  mkdirSync(folder, { recursive: true })
  const path = join(folder, CONTEXT_FILE)
  const temporary = `${path}.${process.pid}`
  rmSync(temporary, { force: true })
  writeFileSync(temporary, `${context}\n`, { mode: 0o600, flag: 'wx' })
  renameSync(temporary, path)
  return {
    [Symbol.dispose]: () => {
      try {
        if (readFileSync(path, 'utf8').trim() === context) rmSync(path)
      } catch {
        // Already removed.
      }
    },
  }
}

/**
 * Finds the folder of a run.
 * @param run the folder's path or name, a start or another part that only one name has, an output or a part of one that only one run
 * writes, or `last` for the run that was active last
 * @throws ConfigError `NO_SUCH_FILE`; `INVALID_CONFIG` if several names have this start, or several runs this part in their name or output
 */
export function findRunFolder(run: string, home: string): string {
  if (run.trim() === '') {
    throw new ConfigError('INVALID_CONFIG', `A run: expected its name or folder, got ""; ${howListed()}.`)
  }
  // They name folders that have runs in them, unless one is itself that of a run.
  if (/^\.{1,2}\/*$/.test(run) && !existsSync(join(run, DOCUMENT))) {
    throw new ConfigError('NO_SUCH_FILE', `${run}: expected a run, got a folder that is none; ${howListed()}.`)
  }
  const inHome = join(home, run)
  const folders = [run, inHome].filter((path) => existsSync(path) && statSync(path).isDirectory())
  // Another folder may be an output. One of the home is always meant, also if it is damaged.
  const folder = folders.find((path) => (path === inHome && basename(run) === run) || existsSync(join(path, DOCUMENT)))
  if (folder !== undefined) return folder
  const names = listRuns(home)
  const found = run === 'last' ? names.slice(0, 1) : namesLike(run, names, home)
  if (found.length > 1) {
    const [how, remedy] = found[0]?.startsWith(run)
      ? ['have names that start with it', 'write more of the name']
      : found[0]?.includes(run)
        ? ['have it in their names', 'write more of the name']
        : ['have it in the path of an output', 'write one of these names']
    throw new ConfigError(
      'INVALID_CONFIG',
      `${run}: expected one run, but ${found.length} ${how}; ${remedy}: ${found.join(', ')}`,
    )
  }
  if (found[0] !== undefined) return join(home, found[0])
  // Its files may say more about it.
  if (folders[0] !== undefined) return folders[0]
  throw new ConfigError(
    'NO_SUCH_FILE',
    `There is no run "${run}": no folder has that path, and none in ${home} has that name; ${howListed()}.`,
  )
}

const howListed = (): string => `${ownCommand('runs')} lists the runs`

/** The name that starts like this, or else those of runs with an output of exactly this name, those that start like this or contain it, or those of runs that write there. */
function namesLike(part: string, names: readonly string[], home: string): string[] {
  if (part === '') return []
  const starting = names.filter((name) => name.startsWith(part))
  if (starting.length === 1) return starting
  const named = writersNamed(part, names, home)
  if (named.length > 0) return named
  if (starting.length > 0) return starting
  const containing = names.filter((name) => name.includes(part))
  return containing.length > 0 ? containing : writersOf(part, names, home)
}

/** The runs with an output whose last part is this. */
const writersNamed = (part: string, names: readonly string[], home: string): string[] =>
  names.filter((name) => {
    const outputs = keptOutputs(readRunDocument(join(home, name))?.tasks ?? [])
    return outputs.some((output) => output.replace(/\/+$/, '').split('/').at(-1) === part)
  })

/** The runs with exactly this output, or else those with this part in the path of an output, as it was written when they were started. */
function writersOf(part: string, names: readonly string[], home: string): string[] {
  const runs = names.flatMap((name) => {
    const document = readRunDocument(join(home, name))
    return document === undefined ? [] : [{ name, document, outputs: keptOutputs(document.tasks) }]
  })
  const path = resolve(part)
  const exact = runs.filter(({ document, outputs }) =>
    outputs.some((output) => output === part || absolutePath(output, document.directory) === path),
  )
  const wanted = part.replace(/^\.\//, '').replace(/\/$/, '')
  const found =
    exact.length > 0 ? exact : runs.filter(({ outputs }) => outputs.some((output) => output.includes(wanted)))
  return found.map(({ name }) => name)
}

/**
 * Returns a function that reads the address of the coordinator. It reads the context file each time, since every start of a run writes
 * another one.
 * @param run a run's folder or name @default `context`, the value of BELLIS_CONTEXT, is used
 * @param home the folder of all runs
 * @param options `isOwn`: refuses one that is not this user's, each time: whoever may write to the folder could replace it later
 * @throws ConfigError `NO_SUCH_FILE`, `INVALID_CONFIG`
 */
export function contextReader(
  run: string | undefined,
  context: string | undefined,
  home: string,
  { isOwn = false } = {},
): () => RunContext {
  if (run !== undefined) {
    const folder = findRunFolder(run, home)
    return () => readContextFile(folder, isOwn)
  }
  if (context === undefined) {
    throw new ConfigError('INVALID_CONFIG', 'No run was given; give its folder or name, or set BELLIS_CONTEXT.')
  }
  return () => parseContext(context)
}

/**
 * Checks that a run is this user's, before code that it names is run.
 * @param use `reason`: why that matters; `action`: what the flag `--trust-owner` allows
 * @throws ConfigError `INVALID_CONFIG`
 */
export function assertOwnRun(
  folder: string,
  use: { readonly reason: string; readonly action: string } = JOINING,
): void {
  const uid = process.getuid?.()
  const owners = [folder, join(folder, DOCUMENT), join(folder, CONTEXT_FILE)].map(
    (path) => statSync(path, { throwIfNoEntry: false })?.uid ?? uid,
  )
  const other = owners.find((owner) => owner !== uid)
  if (other !== undefined) throw belongsToOther(folder, other, use)
}

const belongsToOther = (folder: string, owner: number, { reason, action }: typeof JOINING): ConfigError =>
  new ConfigError(
    'INVALID_CONFIG',
    `The run in ${folder} belongs to the user with the id ${owner}; expected one of your own, since ${reason} with your rights. To ${action} it nevertheless, add --trust-owner.`,
  )

const JOINING = { reason: 'a worker runs the code of its run', action: 'join' }

/**
 * @param isOwn whether it has to be this user's
 * @throws ConfigError `NO_SUCH_FILE` unless the run is running; `INVALID_CONFIG`
 */
function readContextFile(folder: string, isOwn: boolean): RunContext {
  const path = join(folder, CONTEXT_FILE)
  let owner: number
  let text: string
  try {
    const file = openBelow(folder, CONTEXT_FILE)
    try {
      owner = fstatSync(file).uid
      text = readFileSync(file, 'utf8')
    } finally {
      closeSync(file)
    }
  } catch (error) {
    throw new ConfigError('NO_SUCH_FILE', `The run in ${folder} is not running: ${path} can't be read.`, {
      cause: error,
    })
  }
  // Of the file that was read: whoever may write to the folder can replace it at any time.
  if (isOwn && owner !== (process.getuid?.() ?? owner)) throw belongsToOther(folder, owner, JOINING)
  return { ...parseContext(text), isRenewed: true }
}
