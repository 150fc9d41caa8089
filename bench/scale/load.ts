// A real coordinator over loopback, with thousands of light workers that speak the real protocol. Run after a build:
// node bench/scale/load.ts [--workers 5000] [--block-ms 10000] [--sigma 0.5] [--seconds 60] [--seed 1] [--clients 2] [--side 464] [--profile FOLDER] [--heap FOLDER]
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { heard } from './heard.ts'

const { values } = parseArgs({
  options: {
    workers: { type: 'string', default: '5000' },
    'block-ms': { type: 'string', default: '10000' },
    sigma: { type: 'string', default: '0.5' },
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    clients: { type: 'string', default: '2' },
    side: { type: 'string', default: '464' },
    profile: { type: 'string' },
    heap: { type: 'string' },
  },
})
const blockMs = Number(values['block-ms'])
const program = (name: string) => fileURLToPath(new URL(name, import.meta.url))

interface ClientReport {
  readonly leases: number
  readonly p50: number
  readonly p99: number
  readonly max: number
}

interface CoordinatorReport {
  readonly leases: number
  readonly seconds: number
  readonly cpuSeconds: number
  /** The most that was resident. */
  readonly mostBytes: number
  /** At the end. */
  readonly memory: NodeJS.MemoryUsage
  /** How long it worked at once, ms of processor time. */
  readonly held: { readonly p99: number; readonly max: number }
}

function ask<Message>(children: readonly ChildProcess[], question: string): Promise<Message[]> {
  return Promise.all(
    children.map((child) => {
      const answer = heard<Message>(child, 'report')
      child.send(question)
      return answer
    }),
  )
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const runDir = mkdtempSync(join(tmpdir(), 'bellis-load-'))

async function startClients(context: string): Promise<ChildProcess[]> {
  const processes = Number(values.clients)
  const children = Array.from({ length: processes }, (_, index) => {
    const count = Math.floor((Number(values.workers) + index) / processes)
    const seed = Number(values.seed) * 100 + index
    return fork(program('clients.ts'), [count, blockMs, values.sigma, seed].map(String), {
      env: { ...process.env, BELLIS_CONTEXT: context },
    })
  })
  await Promise.all(children.map((child) => heard(child, 'connected')))
  return children
}

function show([one]: readonly CoordinatorReport[], clients: readonly ClientReport[]): void {
  const { leases, seconds, cpuSeconds, mostBytes, memory, held } = one as CoordinatorReport
  const rate = leases / seconds
  const most = (what: 'p50' | 'p99' | 'max') => Math.max(...clients.map((client) => client[what])).toFixed(1)
  const [run] = readdirSync(runDir)
  const history = join(runDir, run as string, 'history')
  const bytes = readdirSync(history).reduce((sum, name) => sum + statSync(join(history, name)).size, 0)
  const megabytes = (size: number) => (size / 1e6).toFixed(0)
  console.log(
    [
      `${values.workers} workers, blocks of ${blockMs} ms`,
      `${rate.toFixed(0)} leases/s of ${((1000 * Number(values.workers)) / blockMs).toFixed(0)}`,
      `${((100 * cpuSeconds) / seconds).toFixed(1)} % of a core`,
      `${((1e6 * cpuSeconds) / leases).toFixed(0)} µs per lease`,
      `hand-out p50 ${most('p50')} p99 ${most('p99')} max ${most('max')} ms`,
      `work at once p99 ${held.p99.toFixed(1)} max ${held.max.toFixed(0)} ms`,
      `${megabytes(mostBytes)} MB resident`,
      `heap ${megabytes(memory.heapUsed)} of ${megabytes(memory.heapTotal)}, outside ${megabytes(memory.external)} MB`,
      `${(bytes / leases).toFixed(1)} bytes of history per lease`,
    ].join('  '),
  )
}

try {
  const execArgv = values.profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', values.profile]
  const coordinator = fork(program('coordinator.ts'), [values.side, runDir], { execArgv })
  const ended = once(coordinator, 'exit')
  const { context } = await heard<{ readonly context: string }>(coordinator, 'listening')
  const clients = await startClients(context)
  for (const child of clients) child.send('start')
  // Until the first blocks have ended, which all began together.
  await sleep(Math.min(10_000, 2 * blockMs))
  for (const child of [coordinator, ...clients]) child.send('measure')
  await sleep(1000 * Number(values.seconds))
  show(await ask<CoordinatorReport>([coordinator], 'report'), await ask<ClientReport>(clients, 'report'))
  if (values.heap !== undefined) await ask([coordinator], `heap ${values.heap}`)
  coordinator.send('stop')
  await ended
} finally {
  rmSync(runDir, { recursive: true, force: true })
}
