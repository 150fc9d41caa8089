import { readFileSync } from 'node:fs'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { ConfigError } from '../../core/errors.ts'
import type { Resources } from '../../core/workers/resources.ts'
import type { RunOptions } from '../run-options.ts'
import { POOLS, type PoolKind } from '../workers/pools.ts'

/** Options of every command. */
export interface CommonOptions {
  readonly json?: boolean
  readonly quiet?: boolean
  readonly logLevel?: 'error' | 'warn' | 'info' | 'debug'
}

/** Options of every command that runs blocks. */
export interface RunFlags extends CommonOptions {
  readonly workers?: number
  readonly pool?: PoolKind | 'inline'
  readonly slurm?: string
  readonly sge?: string
  readonly host?: string
  readonly port?: number
  readonly tlsCert?: string
  readonly tlsKey?: string
  readonly resources?: Resources
  readonly maxRetries?: number
  readonly timeout?: number
  readonly events?: string
  readonly metrics?: { readonly host: string; readonly port: number }
  readonly db?: string
  readonly fsync?: boolean
  readonly overwrite?: boolean
  readonly yes?: boolean
  readonly dryRun?: boolean
  readonly runDir?: string
  readonly dashboard?: boolean
  readonly dashboardHost?: string
  readonly dashboardPort?: number
  readonly open?: boolean
}

export const commonOptions = (command: Command): Command =>
  command
    .option('--json', 'one JSON document on standard output')
    .option('--quiet', 'no progress, errors alone')
    .addOption(
      new Option('--log-level <level>', 'how much is told').choices(['error', 'warn', 'info', 'debug']).default('info'),
    )

export const workerOptions = (command: Command): Command =>
  commonOptions(command)
    .option(
      '--workers <n>',
      'workers in all (default: the processors of this machine, or cpu of --resources)',
      wholeNumber(1),
    )
    .addOption(new Option('--pool <kind>', 'where blocks are done').choices(POOLS).default('process'))
    .option('--slurm <options>', 'what sbatch is given for each worker, as one quoted text')
    .option('--sge <options>', 'what qsub is given for each worker, as one quoted text')
    .option('--host <address>', 'where workers of other machines come in (default: 127.0.0.1, this machine alone)')
    .option('--port <n>', 'at which port (default: one that is free)', portNumber)
    .option('--tls-cert <file>', 'certificate, PEM: workers come in by TLS')
    .option('--tls-key <file>', 'its key, PEM')

export const runOptions = (command: Command): Command => dashboardOptions(ownRunOptions(command))

const ownRunOptions = (command: Command): Command =>
  workerOptions(command)
    .option('--resources <list>', "what all workers have together: cpu=32,gpu=8 (default: this machine's)", amounts)
    .option('--max-retries <n>', 'further tries of a block that failed (default: 2)', wholeNumber(0))
    .option('--timeout <seconds>', 'what one block may take (default: no limit)', seconds)
    .option('--events <file>', 'write everything that happens to a file, a line of JSON each')
    .option(
      '--metrics <[host:]port>',
      'serve numbers for Prometheus there (host: 127.0.0.1, this machine alone)',
      hostAndPort,
    )
    .option(
      '--db <url>',
      "where progress is kept: mongodb://… (default: what BELLIS_DB says, else SQLite in the run's folder)",
    )
    .option('--fsync', 'wait until every block is on the disk itself: what is done outlives a loss of power')
    .option('--overwrite', 'start again: replace the outputs, and forget what was done')
    .option('--yes', 'do not ask')
    .option('--dry-run', 'say what would be done, write nothing')
    .option('--run-dir <folder>', "where the run's folder is made (default: .bellis)")

/** Of commands that run something: its page. */
export const dashboardOptions = (command: Command): Command =>
  command
    .option('--dashboard', 'serve a page that shows the run, and open it')
    .option('--dashboard-host <address>', 'where browsers come in (default: 127.0.0.1, this machine alone)')
    .option('--dashboard-port <n>', 'at which port (default: the same as before, or one that is free)', portNumber)
    .option('--no-open', "only say the page's address, open no browser")

/** Of the commands of built-in tasks: see `builtInConfig`. */
export const configOption = (command: Command): Command =>
  command.option(
    '--config <file>',
    "JSON file with fields of the task's configuration; a flag, or BELLIS_CONFIG_<FIELD>, goes before it",
  )

/** The options of a run that the flags say. */
export const runOptionsOf = (flags: RunFlags): RunOptions => {
  const { workers, pool, slurm, sge, host, port, resources, maxRetries, timeout, overwrite, runDir, fsync } = flags
  const timeoutMs = timeout === undefined ? undefined : timeout * 1000
  return given({
    workers,
    pool,
    slurm,
    sge,
    host,
    port,
    ...tlsOf(flags),
    resources,
    maxRetries,
    timeoutMs,
    progress: flags.db ?? (process.env.BELLIS_DB || undefined),
    fsync,
    overwrite,
    runDir,
  })
}

/** The certificate and its key. @throws ConfigError `INVALID_CONFIG` when one is given alone, `NO_SUCH_FILE` */
function tlsOf({ tlsCert, tlsKey }: RunFlags): Pick<RunOptions, 'tls'> {
  if (tlsCert === undefined && tlsKey === undefined) return {}
  if (tlsCert === undefined || tlsKey === undefined) {
    throw new ConfigError('INVALID_CONFIG', 'TLS needs both a certificate and its key: --tls-cert and --tls-key.')
  }
  return { tls: { cert: readPem(tlsCert), key: readPem(tlsKey) } }
}

function readPem(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new ConfigError('NO_SUCH_FILE', `${path} can't be read: ${(error as Error).message}`, { cause: error })
  }
}

/** A parser of whole numbers from `least` on. */
export const wholeNumber =
  (least: number) =>
  (text: string): number => {
    const value = Number(text)
    if (text.trim() !== '' && Number.isSafeInteger(value) && value >= least) return value
    throw new InvalidArgumentError(`It must be a whole number from ${least} on.`)
  }

/** A port to listen at; 0 is one that is free. */
export function portNumber(text: string): number {
  const value = wholeNumber(0)(text)
  if (value <= 65_535) return value
  throw new InvalidArgumentError('It must be a port from 0 to 65535.')
}

function seconds(text: string): number {
  const value = Number(text)
  // A timer takes at most 2^31 ms.
  if (value > 0 && value <= 2_000_000) return value
  throw new InvalidArgumentError('It must be a number of seconds above 0.')
}

/** `9464`, `0.0.0.0:9464`, `[::1]:9464`. */
function hostAndPort(text: string): { host: string; port: number } {
  const [, host, port = ''] = /^(?:(\[[\da-f:.]+\]|[\w.-]+):)?(\d{1,5})$/i.exec(text) ?? []
  if (port !== '' && Number(port) < 65_536) {
    return { host: (host ?? '127.0.0.1').replace(/^\[|\]$/g, ''), port: Number(port) }
  }
  throw new InvalidArgumentError('It must be a port, or an address and a port, such as 9464 or 0.0.0.0:9464.')
}

/** Amounts by name, `cpu=32,gpu=8`. */
function amounts(text: string): Resources {
  const pairs = text.split(',').map((pair) => /^\s*([A-Za-z][\w-]*)=(\d+(?:\.\d+)?)\s*$/.exec(pair))
  if (pairs.every((pair) => pair !== null))
    return Object.fromEntries(pairs.map(([, name, amount]) => [name, Number(amount)]))
  throw new InvalidArgumentError('It must be names with amounts, with commas, such as cpu=32,gpu=8,memoryGb=200.')
}

/** Voxels per axis, `64,64,64`. */
export function voxelShape(text: string): number[] {
  const values = text.split(',').map(Number)
  if (values.every((value) => Number.isSafeInteger(value) && value > 0) && !text.split(',').includes('')) return values
  throw new InvalidArgumentError('It must be whole numbers above 0 with commas, slowest axis first, such as 64,64,64.')
}

/** One number, or one per axis with commas. What it means is checked by the task. */
export function numberOrList(text: string): number | number[] {
  const values = text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)))
  if (!values.every(Number.isFinite))
    throw new InvalidArgumentError('It must be a number, or one per axis with commas, such as 2 or 0.5,2,2.')
  return values.length === 1 ? (values[0] as number) : values
}

/** A number of any size and sign. */
export function anyNumber(text: string): number {
  const value = Number(text)
  if (text.trim() !== '' && Number.isFinite(value)) return value
  throw new InvalidArgumentError('It must be a number.')
}

/** Drops what was not given, so that the task's defaults stand. */
export const given = <Fields extends object>(
  fields: Fields,
): { [Key in keyof Fields]: Exclude<Fields[Key], undefined> } =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never
