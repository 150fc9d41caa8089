import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Chance } from './chance.ts'
import type { Inputs } from './inputs.ts'
import type { JoinedWorkers } from './joined-workers.ts'
import type { Pool } from './pools.ts'
import { Start } from './start.ts'
import type { Workload } from './workloads.ts'

export interface Setting {
  readonly workload: Workload
  readonly pool: Pool
  readonly chance: Chance
  readonly inputs: Inputs
}

const DISK_SIZE = '96m'

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
  readonly starts: Start[] = []
  /** Workers that were started by hand. */
  joined: JoinedWorkers | undefined
  /** Flags for the next start alone. */
  nextFlags: readonly string[] = []

  constructor(setting: Setting) {
    this.setting = setting
    this.path = mkdtempSync(join(tmpdir(), 'bellis-chaos-'))
    this.results = join(this.path, 'results')
    this.runs = join(this.path, 'runs')
    for (const folder of [this.results, this.runs]) mkdirSync(folder)
    this.hasDisks = mountDisk(this.results) && mountDisk(this.runs)
    setting.workload.prepare?.(this.results, setting.inputs)
  }

  /** The arguments of the command. */
  get command(): readonly string[] {
    const { workload, pool, inputs } = this.setting
    return [...workload.command(this.results, inputs), '--run-dir', this.runs, '--max-retries', '20', ...pool.flags]
  }

  start(): Start {
    const events = join(this.path, `events-${this.starts.length}.jsonl`)
    const args = [...this.command, '--json', '--events', events, ...this.nextFlags]
    this.nextFlags = []
    const start = new Start(args, events, { cwd: this.path })
    this.starts.push(start)
    return start
  }

  /** The folder of the run; undefined before the first start has made it. */
  runFolder(): string | undefined {
    if (!existsSync(this.runs)) return undefined
    const [name] = readdirSync(this.runs).filter(
      (each) => !each.startsWith('.') && existsSync(join(this.runs, each, 'run.json')),
    )
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

  async [Symbol.asyncDispose](): Promise<void> {
    for (const start of this.starts) {
      start.signal('SIGCONT', 'all')
      start.signal('SIGKILL', 'all')
      await start.ended
    }
    await this.joined?.[Symbol.asyncDispose]()
    if (this.hasDisks) for (const disk of [this.results, this.runs]) execFileSync('umount', ['-l', disk])
    rmSync(this.path, { recursive: true, force: true })
  }
}

/** Mounts a small disk in memory over a folder. @returns whether this user may */
function mountDisk(folder: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_SIZE}`, 'bellis-chaos', folder], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
