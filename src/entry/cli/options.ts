import { type Command, Option } from 'commander'
import { readNamedText } from '../../adapters/files/open-file.ts'
import { ConfigError } from '../../core/errors.ts'
import { withOverride } from '../../core/geometry/placement-override.ts'
import { given } from '../../core/given.ts'
import type { WorkerRange } from '../../core/workers/pool-size.ts'
import type { Resources } from '../../core/workers/resources.ts'
import { STALL_ACTIONS, type StallAction } from '../../core/workers/stall.ts'
import { type TaskLike, withUpstream } from '../../runtime/tasks/task-node.ts'
import type { RunOptions } from '../run-options.ts'
import { BATCH_KINDS, POOLS } from '../workers/pools.ts'
import {
  amounts,
  axisNames,
  hostAndPort,
  megabytes,
  memoryFactor,
  numberList,
  portNumber,
  seconds,
  webAddress,
  wholeNumber,
  workerRange,
} from './option-values.ts'
import { anyText, type PerTask, type PerTaskFlags, perTask, poolName, taskPoolsOf } from './sites/per-task.ts'
import { readSite } from './sites/site.ts'

/** Groups of flags in the help of a command that runs blocks, in this order. */
export const GROUPS = {
  configuration: 'Configuration:',
  task: 'Task:',
  blocks: 'Blocks:',
  output: 'Output:',
  workers: 'Workers:',
  run: 'Run:',
  page: 'Page:',
} as const

/** Options of every command. */
export interface CommonOptions {
  readonly json?: boolean
  readonly quiet?: boolean
  readonly logLevel?: 'error' | 'warn' | 'info' | 'debug'
}

/** Options of every command that runs blocks. */
export interface RunFlags extends CommonOptions, PerTaskFlags {
  readonly workers?: WorkerRange
  readonly site?: string
  readonly host?: string
  readonly port?: number
  readonly plain?: boolean
  readonly tlsCert?: string
  readonly tlsKey?: string
  readonly resources?: Resources
  readonly mask?: string
  readonly checkInputs?: boolean
  readonly only?: string
  readonly grow?: boolean
  readonly maxRetries?: number
  readonly maxFailures?: number
  readonly memoryRetry?: PerTask<number>
  readonly timeout?: number
  readonly stall?: number
  readonly onStall?: StallAction
  readonly events?: string
  readonly notify?: string
  readonly notifyStall?: number
  readonly metrics?: { readonly host: string; readonly port: number }
  readonly db?: string
  readonly fsync?: boolean
  readonly overwrite?: boolean
  readonly yes?: boolean
  readonly dryRun?: boolean
  readonly verbose?: boolean
  readonly maxHistory?: number
  readonly maxLog?: number
  readonly runDir?: string
  readonly dashboard?: boolean
  readonly dashboardHost?: string
  readonly dashboardPort?: number
  readonly dashboardControl?: boolean
  readonly open?: boolean
}

export const commonOptions = (command: Command): Command =>
  command
    .option('--json', 'print one JSON document on standard output')
    .option('--quiet', 'print errors only, no progress')
    .addOption(
      new Option('--log-level <level>', 'least severe messages to print; debug adds stack traces')
        .choices(['error', 'warn', 'info', 'debug'])
        .default('info'),
    )

/** Options of commands that read datasets. The variable reaches the workers that are started, too. */
export const dataOptions = (command: Command): Command =>
  commonOptions(command)
    .option(
      '--allow-external',
      'read and write files outside the folder of a dataset, if its links or attributes lead there',
    )
    .on('option:allow-external', () => {
      process.env.BELLIS_ALLOW_EXTERNAL = '1'
    })

/** Flags that give a dataset another placement than its file does. */
export interface PlacementFlags {
  readonly voxelSize?: readonly number[]
  readonly offset?: readonly number[]
  readonly unit?: string
  readonly axes?: readonly string[]
}

/** Options of commands that read one dataset, or several of one kind. */
export const placementOptions = (command: Command): Command =>
  command
    .option('--voxel-size <z,y,x>', "voxel size instead of the file's, in nm or in --unit", numberList)
    .option('--offset <z,y,x>', "start of the first voxel instead of the file's, in nm or in --unit", numberList)
    .option('--unit <unit>', "unit of lengths instead of the file's: nm, um, mm")
    .option('--axes <names>', "names of the stored axes instead of the file's: z,y,x,c; c is the channel", axisNames)

/** A path with the placement that flags give. */
export const placedPath = (path: string, { voxelSize, offset, unit, axes }: PlacementFlags): string =>
  withOverride(path, given({ voxelSize, offset, unit, axes }))

/** The options of a command that has workers. */
export const workerOptions = (command: Command): Command => commonRunOptions(ownWorkerOptions(command))

const ownWorkerOptions = (command: Command): Command =>
  command
    .optionsGroup(GROUPS.workers)
    .option(
      '--workers <n>',
      'number of workers, or a range that follows the work, 10..200 (default: processors here, or cpu of --resources)',
      workerRange,
    )
    .addOption(poolOption())
    .option('--slurm <options>', 'sbatch options for each worker, as one quoted text', perTask(anyText))
    .option('--sge <options>', 'qsub options for each worker, as one quoted text', perTask(anyText))
    .option('--pbs <options>', 'PBS qsub options for each worker, as one quoted text', perTask(anyText))
    .option('--lsf <options>', 'bsub options for each worker, as one quoted text', perTask(anyText))
    .option(
      '--kubernetes <options>',
      'image, namespace and resources of the pods, as one quoted text',
      perTask(anyText),
    )
    .option('--site <name>', 'profile of a cluster with defaults for these options: ~/.config/bellis/sites/NAME.json')
    .option('--host <address>', 'address where workers connect (default: 127.0.0.1, this machine only)')
    .option('--port <n>', 'port where workers connect (default: a free one)', portNumber)
    .option('--tls-cert <file>', 'PEM certificate for workers (default with --host: one made for this run)')
    .option('--tls-key <file>', 'PEM private key of the certificate')
    .option('--plain', 'let workers connect without TLS, unencrypted, also with --host')

/** What names a run. */
export const RUN_ARGUMENT =
  "the run's folder, its name as listed by bellis runs, an output that it writes, a part of its name or of an output, or last"

/** The last parser counts; the choices are for the help. */
const poolOption = (): Option =>
  new Option('--pool <kind>', 'where blocks run; TASK:KIND for one task (default: process)')
    .choices(POOLS)
    .argParser(perTask(poolName))

const commonRunOptions = (command: Command): Command =>
  dataOptions(command.optionsGroup(GROUPS.run)).helpOption('-h, --help', 'show this help')

/** The options of a command that runs blocks. Sorts all options of the command into their groups. */
export const runOptions = (command: Command): Command =>
  sortGroups(dashboardOptions(commonRunOptions(ownRunOptions(ownWorkerOptions(command)))))

const ownRunOptions = (command: Command): Command =>
  command
    .option('--resources <list>', "total shared by all workers: cpu=32,gpu=8 (default: this machine's)", amounts)
    .optionsGroup(GROUPS.blocks)
    .option('--mask <dataset>', 'run only blocks that write where this volume, of any resolution, is not 0')
    .option('--check-inputs', 'compare the times of all chunks of inputs with those of blocks already done')
    .option(
      '--only <blocks>',
      'do only these blocks, and what they wait for: failed, a region, or a file that lists blocks',
    )
    .option('--max-retries <n>', 'retries of a failed block (default: 2)', wholeNumber(0))
    .option(
      '--max-failures <n>',
      'failed attempts in a row after which a task without a completed block in between is abandoned (default: 300)',
      wholeNumber(1),
    )
    .option(
      '--memory-retry <factor>',
      'try a block whose worker ran out of memory again with so many times the memory, 2x; TASK:FACTOR for one task',
      perTask(memoryFactor),
    )
    .option('--timeout <seconds>', 'time limit of a block (default: none)', seconds)
    .option(
      '--stall <seconds>',
      'time without progress after which a worker has stalled (default: 20 times what blocks usually take, at least 600)',
      seconds,
    )
    .addOption(
      new Option(
        '--on-stall <action>',
        'what is done then: report it, give its blocks to others, or end the worker, too',
      )
        .choices(STALL_ACTIONS)
        .default('end'),
    )
    .optionsGroup(GROUPS.output)
    .option(
      '--grow',
      'continue a run whose volume or region has grown: make outputs larger, keep blocks that read nothing new',
    )
    .option('--overwrite', 'start again: replace the outputs and discard recorded progress')
    .option('--yes', 'do not ask for confirmation')
    .option('--write-empty-chunks', 'write chunks of the fill value alone, too; without them, such chunks are left out')
    .on('option:write-empty-chunks', () => {
      process.env.BELLIS_WRITE_EMPTY_CHUNKS = '1'
    })
    .optionsGroup(GROUPS.run)
    .option('--dry-run', 'print the plan and write nothing')
    .option('--run-dir <folder>', 'parent folder of run folders (default: .bellis)')
    .option(
      '--db <url>',
      "database that records progress: mongodb://… (default: BELLIS_DB if set, otherwise SQLite in the run's folder)",
    )
    .option('--fsync', 'flush every block to disk, so that finished work survives a power failure')
    .option(
      '--max-history <mb>',
      "largest size of this start's history, which the page shows, with half of it for earlier starts (default: 512)",
      megabytes,
    )
    .option(
      '--max-log <mb>',
      'largest size of the log of each process or thread; its first lines are left out (default: no limit)',
      megabytes,
    )
    .option('--events <file>', 'write every event to a file, one JSON object per line')
    .option('--verbose', 'also print how to add workers')
    .option('--metrics <[host:]port>', 'serve metrics for Prometheus (host: 127.0.0.1, this machine only)', hostAndPort)
    .option(
      '--notify <url>',
      'post a notice when the run ends, fails or stalls (default: BELLIS_NOTIFY if set)',
      webAddress,
    )
    .option(
      '--notify-stall <seconds>',
      'time without a finished block that counts as a stall (default: 10 times the usual, at least 600)',
      seconds,
    )

/** The help shows groups in the order of their first options, whichever of them a command has itself. */
function sortGroups(command: Command): Command {
  const order = Object.values<string | undefined>(GROUPS)
  // Typed as read-only, but it is the command's own list.
  ;(command.options as Option[]).sort((a, b) => order.indexOf(a.helpGroupHeading) - order.indexOf(b.helpGroupHeading))
  return command
}

/** Adds the options of the page, for commands that run blocks. */
export const dashboardOptions = (command: Command): Command =>
  command
    .optionsGroup(GROUPS.page)
    .option('--dashboard', 'serve a page that shows the run, and open it')
    .option('--dashboard-host <address>', 'address where browsers connect (default: 127.0.0.1, this machine only)')
    .option(
      '--dashboard-port <n>',
      'port where browsers connect (default: the previous one, or a free one)',
      portNumber,
    )
    .option(
      '--dashboard-control',
      'serve the page, and let it stop the run, change its workers and retry failed blocks',
    )
    .option('--no-open', "print the page's address without opening a browser")

/** Adds the options of a run and `--config`, for the commands of built-in tasks: see `builtInConfig`. */
export const builtInOptions = (command: Command): Command =>
  runOptions(
    command
      .optionsGroup(GROUPS.task)
      .option(
        '--config <file>',
        "JSON file with fields of the task's configuration; flags and BELLIS_CONFIG_<FIELD> take precedence",
      ),
  )

/** The options of a run that these flags set. */
export const runOptionsOf = (flags: RunFlags, tasks: readonly TaskLike[]): RunOptions => {
  const site = flags.site === undefined ? {} : readSite(flags.site)
  const { overwrite, grow, fsync, mask, checkInputs, only, maxRetries, maxFailures, timeout, stall, onStall } = flags
  const { host, port, plain, resources, runDir, maxHistory, maxLog } = { ...site, ...given(flags) }
  const { least, most } = flags.workers ?? {}
  const ids = withUpstream(tasks).map(({ id }) => id)
  const taskPools = taskPoolsOf(flags, site, new Set(ids))
  const timeoutMs = timeout === undefined ? undefined : timeout * 1000
  return given({
    workers: most ?? site.workers,
    minWorkers: least === most ? undefined : least,
    pool: flags.pool?.all ?? site.pool,
    ...Object.fromEntries(BATCH_KINDS.map((kind) => [kind, flags[kind]?.all ?? site[kind]])),
    taskPools: Object.keys(taskPools).length === 0 ? undefined : taskPools,
    host,
    port,
    plain,
    ...tlsOf(flags),
    resources,
    mask,
    checkInputs,
    only,
    maxRetries,
    maxFailures,
    memoryRetry: flags.memoryRetry === undefined ? undefined : factorsOf(flags.memoryRetry, ids),
    timeoutMs,
    stallMs: stall === undefined ? undefined : stall * 1000,
    onStall,
    progress: flags.db ?? (process.env.BELLIS_DB || undefined),
    fsync,
    overwrite,
    grow,
    runDir,
    maxHistoryMb: maxHistory,
    maxLogMb: maxLog,
  })
}

/** The factor of all tasks, or those of single ones. */
const factorsOf = ({ all, tasks }: PerTask<number>, ids: readonly string[]): NonNullable<RunOptions['memoryRetry']> =>
  Object.keys(tasks).length === 0 && all !== undefined
    ? all
    : { ...(all === undefined ? {} : Object.fromEntries(ids.map((id) => [id, all]))), ...tasks }

/** The certificate and its key. @throws ConfigError `INVALID_CONFIG` if only one is given, `NO_SUCH_FILE` */
function tlsOf({ tlsCert, tlsKey, plain }: RunFlags): Pick<RunOptions, 'tls'> {
  if (tlsCert === undefined && tlsKey === undefined) return {}
  if (plain) {
    throw new ConfigError(
      'INVALID_CONFIG',
      '--plain: expected without --tls-cert and --tls-key; leave out one of them.',
    )
  }
  if (tlsCert === undefined || tlsKey === undefined) {
    throw new ConfigError('INVALID_CONFIG', 'TLS needs both a certificate and its key: give --tls-cert and --tls-key.')
  }
  return { tls: { cert: readPem(tlsCert), key: readPem(tlsKey) } }
}

function readPem(path: string): string {
  try {
    return readNamedText(path)
  } catch (error) {
    if (error instanceof ConfigError) throw error
    throw new ConfigError('NO_SUCH_FILE', `${path} can't be read: ${(error as Error).message}`, { cause: error })
  }
}
