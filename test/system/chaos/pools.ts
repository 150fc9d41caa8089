import { fileURLToPath } from 'node:url'
import { parseContext, showContext } from '../../../src/adapters/links/context.ts'
import { JoinedWorkers, type WorkerCommand, workerProgram } from './joined-workers.ts'
import { LinkProxy } from './link-proxy.ts'
import type { Site } from './site.ts'
import { PYTHON, type Workload } from './workloads.ts'

/** What does the blocks. */
export interface Pool {
  readonly name: string
  /** Flags of the command. */
  readonly flags: readonly string[]
  /** Whether its workers are processes that can be killed one by one. */
  readonly hasProcesses: boolean
  /** The only workload that it does. @default any */
  readonly workload?: Workload
  /** How its workers are started, if not by the command. */
  readonly worker?: (site: Site) => WorkerCommand
  /** Whether its workers reach the coordinator through a proxy, by the context of one start. @default false */
  readonly hasProxy?: boolean
}

const fixture = (name: string) => fileURLToPath(new URL(`../../adapters/links/fixtures/${name}`, import.meta.url))
const TLS = ['--tls-cert', fixture('test-cert.pem'), '--tls-key', fixture('test-key.pem')]
const TWO = ['--workers', '2']
const NONE = ['--pool', 'none']

/** Workers that find the run through its folder, and every later start of it, too. */
const byFolder = (site: Site): WorkerCommand => {
  return () => {
    const folder = site.runFolder()
    if (folder === undefined || site.context() === undefined) return undefined
    return workerProgram([folder], site.environment)
  }
}

/** The context of a run with the address of the proxy. */
function proxiedContext(site: Site): string | undefined {
  const context = site.context()
  const { proxy } = site
  return context === undefined || proxy === undefined
    ? undefined
    : showContext({ ...parseContext(context), port: proxy.port })
}

const byProxy = (site: Site): WorkerCommand => {
  return () => {
    const context = proxiedContext(site)
    return context === undefined ? undefined : workerProgram([], { ...site.environment, BELLIS_CONTEXT: context })
  }
}

const inPython = (site: Site): WorkerCommand => {
  return () => {
    const context = proxiedContext(site)
    if (context === undefined || PYTHON === undefined) return undefined
    return { file: PYTHON.path, args: [PYTHON.program], env: { BELLIS_CONTEXT: context } }
  }
}

export const POOLS: readonly Pool[] = [
  { name: 'processes', flags: ['--pool', 'process', ...TWO], hasProcesses: true },
  { name: 'threads', flags: ['--pool', 'thread', ...TWO], hasProcesses: false },
  { name: 'inline', flags: ['--pool', 'inline', ...TWO], hasProcesses: false },
  { name: 'joined', flags: NONE, hasProcesses: true, worker: byFolder },
  { name: 'joined over TLS', flags: [...NONE, ...TLS], hasProcesses: true, worker: byFolder },
  { name: 'joined through a proxy', flags: NONE, hasProcesses: true, worker: byProxy, hasProxy: true },
  {
    name: 'joined through a proxy over TLS',
    flags: [...NONE, ...TLS],
    hasProcesses: true,
    worker: byProxy,
    hasProxy: true,
  },
  ...(PYTHON === undefined
    ? []
    : [
        {
          name: 'joined Python programs',
          flags: NONE,
          hasProcesses: true,
          workload: PYTHON.workload,
          worker: inPython,
          hasProxy: true,
        },
      ]),
]

/** Starts the workers that the command does not start. */
export async function startJoined(site: Site): Promise<void> {
  const { worker, hasProxy } = site.setting.pool
  if (worker === undefined) return
  if (hasProxy) {
    site.proxy = await LinkProxy.open(() => {
      const context = site.context()
      return context === undefined ? undefined : parseContext(context).port
    })
  }
  site.joined = new JoinedWorkers(2, site.path, worker(site))
}

/** The processes that do blocks now. */
export function workersOf(site: Site): number[] {
  if (site.joined !== undefined) return site.joined.pids
  const start = site.starts.at(-1)
  return start === undefined || start.isOver ? [] : start.workers()
}
