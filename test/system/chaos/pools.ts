import { fileURLToPath } from 'node:url'
import { JoinedWorkers, type WorkerCommand, workerProgram } from './joined-workers.ts'
import type { Site } from './site.ts'

/** What does the blocks. */
export interface Pool {
  readonly name: string
  /** Flags of the command. */
  readonly flags: readonly string[]
  /** Whether its workers are processes that can be killed one by one. */
  readonly hasProcesses: boolean
  /** How its workers are started, if not by the command. */
  readonly worker?: (site: Site) => WorkerCommand
}

const fixture = (name: string) => fileURLToPath(new URL(`../../adapters/links/fixtures/${name}`, import.meta.url))
const TLS = ['--tls-cert', fixture('test-cert.pem'), '--tls-key', fixture('test-key.pem')]
const TWO = ['--workers', '2']

/** Workers that find the run through its folder, and every later start of it, too. */
const byFolder = (site: Site): WorkerCommand => {
  return () => {
    const folder = site.runFolder()
    return folder === undefined || site.context() === undefined ? undefined : workerProgram([folder])
  }
}

export const POOLS: readonly Pool[] = [
  { name: 'processes', flags: ['--pool', 'process', ...TWO], hasProcesses: true },
  { name: 'threads', flags: ['--pool', 'thread', ...TWO], hasProcesses: false },
  { name: 'inline', flags: ['--pool', 'inline', ...TWO], hasProcesses: false },
  { name: 'joined', flags: ['--pool', 'none'], hasProcesses: true, worker: byFolder },
  { name: 'joined over TLS', flags: ['--pool', 'none', ...TLS], hasProcesses: true, worker: byFolder },
]

/** Starts the workers that the command does not start. */
export function startJoined(site: Site): void {
  const command = site.setting.pool.worker?.(site)
  if (command !== undefined) site.joined = new JoinedWorkers(2, site.path, command)
}

/** The processes that do blocks now. */
export function workersOf(site: Site): number[] {
  if (site.joined !== undefined) return site.joined.pids
  const start = site.starts.at(-1)
  return start === undefined || start.isOver ? [] : start.workers()
}
