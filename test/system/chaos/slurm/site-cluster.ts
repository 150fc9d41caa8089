import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { untilAsync } from '../../../support/drive.ts'
import type { SlurmCluster } from '../../../support/slurm.ts'
import { signalProcess } from '../start.ts'

const script = fileURLToPath(new URL('../../../../scripts/slurm-env.mjs', import.meta.url))
/** How often an order is given again while the controller is down. */
const ORDERS = 60

/** A job of the run that is running. */
export interface RunningJob {
  readonly id: string
  readonly node: string
}

/** What an administrator of a real SLURM can do to it, and what can happen to its machines. */
export class SiteCluster {
  readonly #slurm: SlurmCluster & { readonly folder: string }
  /** The nodes to which something is happening now. */
  readonly hit = new Set<string>()

  constructor(slurm: SlurmCluster) {
    this.#slurm = slurm as SlurmCluster & { readonly folder: string }
  }

  get env(): SlurmCluster['env'] {
    return this.#slurm.env
  }

  get nodes(): readonly string[] {
    return this.#slurm.nodes
  }

  /** Runs one of its programs. @returns its output; undefined if it failed, as they do when the controller is down */
  async ask(program: string, ...args: string[]): Promise<string | undefined> {
    return await this.#slurm.run(program, ...args).catch(() => undefined)
  }

  async runningJobs(): Promise<RunningJob[]> {
    const text = await this.ask('squeue', '--noheader', '--partition=short', '--states=RUNNING', '--format=%A %N')
    return (text ?? '')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split(' ') as [string, string])
      .map(([id, node]) => ({ id, node }))
  }

  /** The number of jobs of runs that are pending, running or ending; undefined if it does not say. */
  async jobsLeft(): Promise<number | undefined> {
    const text = await this.ask('squeue', '--noheader', '--array', '--partition=short', '--format=%i')
    return text?.split('\n').filter((line) => line !== '').length
  }

  /** Starts a daemon again. @param name slurmctld, or a node */
  async revive(name: string): Promise<void> {
    await promisify(execFile)(process.execPath, [script, 'revive', this.#slurm.folder, name])
  }

  /** The daemon of a node, or the controller. */
  daemon(name: string): number[] {
    return this.#processes().flatMap(({ pid, command }) =>
      (name === 'slurmctld' ? /^\S*slurmctld -D/ : new RegExp(`^\\S*slurmd .*-N ${name} `)).test(command) ? [pid] : [],
    )
  }

  /** The processes of the jobs of a node, or of one job, without SLURM's own. */
  jobProcesses({ id, node }: Partial<RunningJob>): number[] {
    return this.#processes().flatMap(({ pid, environment }) =>
      environment.includes(node === undefined ? `SLURM_JOB_ID=${id}` : `SLURMD_NODENAME=${node}`) ? [pid] : [],
    )
  }

  /** All that runs on a node: its daemon, SLURM's processes beside its jobs, and the jobs. */
  processesOn(node: string): number[] {
    const jobs = this.jobProcesses({ node })
    return [...this.daemon(node), ...stepDaemonsOf(jobs), ...jobs]
  }

  signal(pids: readonly number[], signal: NodeJS.Signals): void {
    for (const pid of pids) signalProcess(pid, signal)
  }

  /** Runs one of its programs until it succeeds, for a while. */
  async insist(program: string, ...args: string[]): Promise<void> {
    for (let order = 0; order < ORDERS && (await this.ask(program, ...args)) === undefined; order++) await wait(500)
  }

  /** Lets the controller answer and take jobs. */
  async openForJobs(): Promise<void> {
    if (this.daemon('slurmctld').length === 0) await this.revive('slurmctld')
    await this.insist('scontrol', 'update', 'PartitionName=short', 'State=UP')
  }

  /** Puts everything right, and waits until all nodes can be used. */
  async mend(): Promise<void> {
    await this.openForJobs()
    // Those that pre-empted others: SLURM holds one whose start has failed.
    await this.insist('scancel', '--partition=urgent')
    for (const node of this.nodes) {
      this.signal(this.processesOn(node), 'SIGCONT')
      if (this.daemon(node).length === 0) await this.revive(node)
    }
    await untilAsync('all nodes can be used', async () => {
      const text = (await this.ask('sinfo', '--noheader', '--Node', '--partition=short', '--format=%N %T')) ?? ''
      const lines = text.split('\n').filter((line) => line !== '')
      const bad = lines.filter((line) => !/ (idle|mixed|allocated|completing)$/.test(line))
      for (const line of bad) {
        const [node] = line.split(' ') as [string]
        await this.ask('scontrol', 'update', `NodeName=${node}`, 'State=RESUME')
      }
      return lines.length === this.nodes.length && bad.length === 0
    })
    this.hit.clear()
  }

  /** The processes of this cluster, of its jobs, and those that use it. */
  #processes(): { readonly pid: number; readonly command: string; readonly environment: readonly string[] }[] {
    const mark = `SLURM_CONF=${this.env.SLURM_CONF}`
    return readdirSync('/proc').flatMap((name) => {
      const text = /^\d+$/.test(name) ? readProcess(name, 'environ') : undefined
      const environment = text?.split('\0') ?? []
      if (!environment.includes(mark)) return []
      const command = readProcess(name, 'cmdline')?.replaceAll('\0', ' ') ?? ''
      return [{ pid: Number(name), command, environment }]
    })
  }
}

function readProcess(pid: string | number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return undefined
  }
}

/** The processes of SLURM above those of jobs. */
function stepDaemonsOf(pids: readonly number[]): number[] {
  const parents = pids.map((pid) => Number(/^PPid:\s+(\d+)/m.exec(readProcess(pid, 'status') ?? '')?.[1] ?? 0))
  return [...new Set(parents)].filter((pid) => readProcess(pid, 'comm')?.trim() === 'slurmstepd')
}
