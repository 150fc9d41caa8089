import { execFileSync } from 'node:child_process'
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { groupOf, stillRunning, until } from '../../support/processes.ts'
import type { Chance } from './chance.ts'
import { disturbedEnvironment } from './disturbed.ts'
import { FileHost } from './file-host.ts'
import { type Inputs, inputsAt } from './inputs.ts'
import type { JoinedWorkers } from './joined-workers.ts'
import type { LinkProxy } from './link-proxy.ts'
import type { Pool } from './pools.ts'
import { RECORD_FILES } from './preload/control.ts'
import { Start, signalProcess } from './start.ts'
import type { Workload } from './workloads.ts'

export interface Setting {
  readonly workload: Workload
  readonly pool: Pool
  readonly chance: Chance
  readonly inputs: Inputs
  /** Whether commands and workers are started with the modules of `preload/`. */
  readonly isDisturbed: boolean
  /** Whether commands are started with --fsync. */
  readonly isSynced: boolean
  /** A part of the kinds of faults that may strike. @default '', all */
  readonly kinds?: string | undefined
  /** The folder to which the files of a round with complaints are copied. @default they are removed */
  readonly keep?: string | undefined
}

const DISK_SIZE = '96m'
const MOST_DETAILS = 2000

/** The place of one round: its folders, its command, and how the command is started. */
export class Site implements AsyncDisposable {
  readonly setting: Setting
  /** The folder in which the command is given. */
  readonly path: string
  /** The folder of the outputs. */
  readonly results: string
  /** The folder of the run folders. */
  readonly runs: string
  /** Whether the two folders are disks of their own, which can be filled and made read-only. */
  readonly hasDisks: boolean
  /** The file that disturbed processes obey. */
  readonly control: string
  /** The folder in which disturbed processes note what they have not synced. */
  readonly journal: string | undefined
  readonly inputs: Inputs
  readonly starts: Start[] = []
  /** Copies of the record, from after earlier starts. */
  readonly records: string[] = []
  readonly complaints: string[] = []
  /** Serves the inputs, if the workload reads them over http. */
  readonly host: FileHost | undefined
  /** Workers that were started by hand, and what is between them and the coordinator. */
  joined: JoinedWorkers | undefined
  proxy: LinkProxy | undefined
  /** Flags for the next start alone. */
  nextFlags: readonly string[] = []
  /** Whether a fault has damaged outputs behind the back of the run, which has to be reset. */
  isDamaged = false

  private constructor(setting: Setting, host: FileHost | undefined) {
    const { inputs, workload, isDisturbed } = setting
    this.setting = setting
    this.host = host
    this.inputs = host === undefined ? inputs : inputsAt(inputs, host.address)
    this.path = mkdtempSync(join(tmpdir(), 'bellis-chaos-'))
    this.results = join(this.path, 'results')
    this.runs = join(this.path, 'runs')
    this.control = join(this.path, 'control.json')
    this.journal = isDisturbed ? join(this.path, 'journal') : undefined
    for (const folder of [this.results, this.runs]) mkdirSync(folder)
    // The journal keeps files by linking them, so it lies on the disk of the outputs; without a disk of their own, for all of them.
    this.hasDisks = !isDisturbed && mountDisk(this.results) && mountDisk(this.runs)
    if (this.journal !== undefined) mkdirSync(this.journal)
    workload.prepare?.(this.results, inputs)
  }

  static async open(setting: Setting): Promise<Site> {
    const { inputs, workload } = setting
    return new Site(setting, workload.reads === 'http' ? await FileHost.open(inputs.place) : undefined)
  }

  /** What is added to the environment of commands and workers. */
  get environment(): NodeJS.ProcessEnv {
    return this.setting.isDisturbed ? disturbedEnvironment(this.control, this.journal) : {}
  }

  /** The arguments of the command. */
  get command(): readonly string[] {
    const { workload, pool, isSynced } = this.setting
    const flags = ['--run-dir', this.runs, '--max-retries', '20', ...(isSynced ? ['--fsync'] : [])]
    return [...workload.command(this.results, this.inputs), ...flags, ...pool.flags]
  }

  start(): Start {
    const events = join(this.path, `events-${this.starts.length}.jsonl`)
    const args = [...this.command, '--json', '--events', events, ...this.nextFlags]
    this.nextFlags = []
    const joined = () => this.joined?.pids ?? []
    const start = new Start(args, events, { cwd: this.path, env: this.environment, joined })
    this.starts.push(start)
    return start
  }

  /** The folder of the run; undefined before the first start has made it. */
  runFolder(): string | undefined {
    const isRun = (name: string) => !name.startsWith('.') && existsSync(join(this.runs, name, 'run.json'))
    const name = readdirSync(this.runs).find(isRun)
    return name === undefined ? undefined : join(this.runs, name)
  }

  /** The address and token for workers; undefined while there is none. */
  context(): string | undefined {
    try {
      return readFileSync(join(this.runFolder() ?? '', 'context'), 'utf8').trim() || undefined
    } catch {
      return undefined
    }
  }

  /** Ends all workers of the last start, which has ended, and waits for them. Those that were started by hand are started again. */
  async endWorkers(): Promise<void> {
    const leader = this.starts.at(-1)?.pid ?? 0
    const joined = this.joined?.pids ?? []
    signalProcess(-leader, 'SIGKILL')
    this.joined?.replaceAll()
    await until('all workers have ended', () => groupOf(leader).length === 0 && stillRunning(joined).length === 0)
  }

  /** @param details what the command printed, of which the end is kept */
  complain(what: string, details = ''): void {
    this.complaints.push(details === '' ? what : `${what}\n${details.slice(-MOST_DETAILS)}`)
  }

  /** Copies the record as it is now, after a start. */
  keepRecord(): void {
    const folder = this.runFolder()
    if (folder === undefined || !existsSync(join(folder, RECORD_FILES[0]))) return
    const kept = join(this.path, `record-${this.starts.length}`)
    mkdirSync(kept, { recursive: true })
    for (const part of RECORD_FILES)
      if (existsSync(join(folder, part))) copyFileSync(join(folder, part), join(kept, part))
    this.records.push(kept)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const start of this.starts) {
      start.signal('SIGCONT', 'all')
      start.signal('SIGKILL', 'all')
      await start.ended
    }
    await this.joined?.[Symbol.asyncDispose]()
    await this.proxy?.[Symbol.asyncDispose]()
    await this.host?.[Symbol.asyncDispose]()
    const { keep } = this.setting
    if (keep !== undefined && this.complaints.length > 0)
      cpSync(this.path, join(keep, basename(this.path)), { recursive: true })
    if (this.hasDisks) for (const disk of [this.results, this.runs]) execFileSync('umount', ['-l', disk])
    rmSync(this.path, { recursive: true, force: true })
  }
}

/** Mounts a small disk in memory over a folder. @returns whether this user may */
function mountDisk(folder: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_SIZE},mode=755`, 'bellis-chaos', folder], {
      stdio: 'ignore',
    })
    return true
  } catch {
    return false
  }
}
