// The cost of handing out blocks over real sockets. Run after a build: node bench/dispatch.ts. Deterministic.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { type Resources, type RunEvent, type RunOptions, startRun } from 'bellis'
import { noop } from './noop-task.ts'

const BLOCKS = 100_000
const MANY_BLOCKS = 1_000_000
// Blocks/s of daisy 1.2.3 with 2 workers on a comparable machine: as released, and with TCP_NODELAY set.
const PEER = 45
const PEER_NODELAY = 2000

const runDir = mkdtempSync(join(tmpdir(), 'bellis-bench-'))
try {
  if (process.argv[2] === undefined) await benchFrames()
  console.log(`\n${BLOCKS} no-op blocks, 2 worker processes (peer: ${PEER} blocks/s, ${PEER_NODELAY} with TCP_NODELAY)`)
  for (let round = 0; round < 3; round++) {
    row('2 processes', await measure(BLOCKS, { pool: 'process', workers: 2 }))
  }
  for (const blocks of [BLOCKS, MANY_BLOCKS]) {
    console.log(`\n${blocks} no-op blocks, light-weight clients in one process; blocks are reported to take 0.3 ms`)
    for (const clients of [1, 100, 2000]) {
      for (let round = 0; round < 3; round++) {
        const measured = await measureClients(clients, blocks, 0.3)
        row(`${clients} connected`, measured, describeWaits(measured.waits))
      }
    }
  }
  console.log(`\n${BLOCKS} no-op blocks that require a GPU each, 2000 light-weight clients in one process`)
  for (const gpu of [2000, 8]) {
    for (let round = 0; round < 3; round++) {
      const measured = await measureClients(2000, BLOCKS, 0.3, { cpu: 2000, gpu })
      row(`${gpu} GPUs`, measured, describeWaits(measured.waits))
    }
  }
  console.log('\nblocks of 100 ms, light-weight clients in one process')
  for (const clients of [100, 2000]) {
    const measured = await measureClients(clients, 30 * clients, 100)
    row(`${clients} connected`, measured, describeWaits(measured.waits))
  }
  console.log('\n1000 blocks of 10 ms, 2 worker processes')
  for (const config of [{ busyMs: 10 }, { waitMs: 10 }]) {
    const { seconds, blockSeconds } = await measure(1000, { pool: 'process', workers: 2 }, config)
    const what = 'busyMs' in config ? 'computing' : 'waiting'
    console.log(
      `${what.padEnd(16)} ${((100 * blockSeconds) / (2 * seconds)).toFixed(1)} % of the time spent running blocks`,
    )
  }
} finally {
  rmSync(runDir, { recursive: true, force: true })
}

interface Measured {
  /** From the moment that all workers have started to the last outcome. */
  readonly seconds: number
  readonly blocksPerSecond: number
  /** Processor time of this process, the coordinator, as a share of those seconds. */
  readonly cpuShare: number
  /** What the coordinator could do with its own processor: the clients run on the same machine. */
  readonly blocksPerCpuSecond: number
  /** Processor time of the coordinator per lease, with the outcomes of its blocks, µs. */
  readonly leaseUs: number
  /** Time that workers report to have spent running blocks in those seconds. */
  readonly blockSeconds: number
}

/** Runs blocks; the start of workers is not counted. */
async function measure(
  blocks: number,
  options: RunOptions,
  config: { busyMs?: number; waitMs?: number } = {},
  workers = options.workers ?? 1,
): Promise<Measured> {
  const working = new Set<string>()
  let done = 0
  let leases = 0
  let blockMs = 0
  let start: { at: number; done: number; leases: number; blockMs: number; cpu: NodeJS.CpuUsage } | undefined
  let end = 0
  let cpu = process.cpuUsage()
  const onEvent = (event: RunEvent) => {
    if (event.type === 'blocks-leased') leases++
    if (event.type !== 'blocks-done') return
    done += event.indices.length
    for (const ms of event.ms) blockMs += ms
    working.add(event.workerId)
    if (start === undefined && working.size >= workers) {
      start = { at: performance.now(), done, leases, blockMs, cpu: process.cpuUsage() }
    }
    if (done === blocks && start !== undefined) {
      end = performance.now()
      cpu = process.cpuUsage(start.cpu)
    }
  }
  // One process could finish all blocks before the other has started.
  const meeting = options.pool === 'process' ? { meeting: mkdtempSync(join(runDir, 'meeting-')), workers } : {}
  // Without overwrite, the second run would have nothing to do.
  const run = { runDir, overwrite: true, ...options, onEvent }
  const requires = options.resources === undefined ? {} : { requires: { gpu: 1 } }
  const { ok } = await startRun(noop({ blocks, ...config, ...meeting }, requires), run).result
  if (!ok || start === undefined) throw new Error('the run failed, or not all workers took part')
  const seconds = (end - start.at) / 1000
  const cpuSeconds = (cpu.user + cpu.system) / 1e6
  return {
    seconds,
    blocksPerSecond: (blocks - start.done) / seconds,
    cpuShare: cpuSeconds / seconds,
    blocksPerCpuSecond: (blocks - start.done) / cpuSeconds,
    leaseUs: (1e6 * cpuSeconds) / (leases - start.leases),
    blockSeconds: (blockMs - start.blockMs) / 1000,
  }
}

interface Waits {
  readonly leases: number
  readonly p50: number
  readonly p99: number
  /** Processor time of the process of the clients, as a share of the time. */
  readonly cpuShare: number
}

async function measureClients(
  clients: number,
  blocks: number,
  blockMs: number,
  resources?: Resources,
): Promise<Measured & { readonly waits: Waits }> {
  let child: ChildProcess | undefined
  let output: Promise<string> | undefined
  const measured = await measure(
    blocks,
    {
      pool: 'none',
      ...(resources === undefined ? {} : { resources }),
      onListening: ({ context }) => {
        const program = fileURLToPath(new URL('./light-clients.ts', import.meta.url))
        child = spawn(process.execPath, [program, String(clients), String(blockMs)], {
          env: { ...process.env, BELLIS_CONTEXT: context },
          stdio: ['ignore', 'pipe', 'inherit'],
        })
        output = text(child.stdout as NodeJS.ReadableStream)
      },
    },
    {},
    1,
  )
  return { ...measured, waits: JSON.parse((await output) ?? '') }
}

function describeWaits({ p50, p99, leases, cpuShare }: Waits): string {
  const wait = `p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms from an outcome to the next lease`
  return `clients ${(100 * cpuShare).toFixed(0)} %  ${wait} (${leases} leases)`
}

function row(what: string, measured: Measured, more = ''): void {
  const { blocksPerSecond, cpuShare, blocksPerCpuSecond, leaseUs } = measured
  const rate = `${showCount(blocksPerSecond)} blocks/s`
  const cost = `${(100 * cpuShare).toFixed(0)} % of a processor, ${showCount(blocksPerCpuSecond)} blocks per CPU second, ${leaseUs.toFixed(0)} µs per lease`
  console.log(`${what.padEnd(16)} ${rate.padStart(18)}  coordinator ${cost}  ${more}`)
}

function showCount(count: number): string {
  return Math.round(count).toLocaleString('en')
}

/** JSON objects one per line against length-prefixed ones, exchanged over loopback as leases and outcomes are. */
async function benchFrames(): Promise<void> {
  console.log('round trip of a lease and its outcomes over loopback, one in flight: processor time of both sides')
  const kinds = [
    ['lines', wrapLine, splitLines],
    ['lengths', wrapLength, splitLengths],
  ] as const
  for (const blocks of [1, 30, 300]) {
    const lease = { type: 'lease', lease: 1, taskId: 'noop', blocks: Array.from({ length: blocks }, (_, i) => i) }
    const outcomes = { type: 'outcomes', lease: 1, outcomes: lease.blocks.map(() => ({ status: 'done', ms: 0.125 })) }
    const best = kinds.map(() => Number.POSITIVE_INFINITY)
    // Alternating, and the minimum of many, since the machine may have other load.
    for (let round = 0; round < 15; round++) {
      for (const [at, [, wrap, split]] of kinds.entries()) {
        best[at] = Math.min(best[at] as number, await pingPong(lease, outcomes, wrap, split))
      }
    }
    const shown = kinds.map(([name], at) => `${name} ${best[at]?.toFixed(1)} µs`)
    console.log(`${String(blocks).padStart(4)} blocks       ${shown.join(', ')}`)
  }
}

type Wrap = (value: unknown) => Buffer | string
type Split = (receive: (value: unknown) => void) => (chunk: Buffer) => void

function wrapLine(value: unknown): string {
  return `${JSON.stringify(value)}\n`
}

function splitLines(receive: (value: unknown) => void): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0)
  return (chunk) => {
    let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10)) {
      receive(JSON.parse(bytes.toString('utf8', 0, end)))
      bytes = bytes.subarray(end + 1)
    }
    rest = Buffer.from(bytes)
  }
}

function wrapLength(value: unknown): Buffer {
  const json = Buffer.from(JSON.stringify(value))
  const frame = Buffer.allocUnsafe(4 + json.length)
  frame.writeUInt32BE(json.length)
  json.copy(frame, 4)
  return frame
}

function splitLengths(receive: (value: unknown) => void): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0)
  return (chunk) => {
    let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    while (bytes.length >= 4 && bytes.length >= 4 + bytes.readUInt32BE()) {
      const end = 4 + bytes.readUInt32BE()
      receive(JSON.parse(bytes.toString('utf8', 4, end)))
      bytes = bytes.subarray(end)
    }
    rest = Buffer.from(bytes)
  }
}

/** Processor time of a round trip, µs. */
async function pingPong(ping: unknown, pong: unknown, wrap: Wrap, split: Split): Promise<number> {
  const server = createServer((socket) =>
    socket.setNoDelay(true).on(
      'data',
      split(() => socket.write(wrap(pong))),
    ),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const socket: Socket = connect({ port, host: '127.0.0.1', noDelay: true })
  let trips = 0
  const start = performance.now()
  const cpu = process.cpuUsage()
  await new Promise<void>((resolve) => {
    socket.on(
      'data',
      split(() => {
        trips++
        if (performance.now() - start > 100) resolve()
        else socket.write(wrap(ping))
      }),
    )
    socket.write(wrap(ping))
  })
  const { user, system } = process.cpuUsage(cpu)
  socket.destroy()
  server.close()
  return (user + system) / trips
}
