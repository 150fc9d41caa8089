import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { hostInUrl } from '../../core/addresses.ts'
import { ConfigError, messageOf } from '../../core/errors.ts'
import { mostStrangers } from '../connections/open-file-limit.ts'
import { UnprovedConnections } from '../connections/unproved-connections.ts'
import { isAddressedTo, namesOf } from '../http/server-names.ts'

/** Histogram buckets, from a millisecond to an hour. */
const BLOCK_SECONDS = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60, 180, 600, 1800, 3600]

const OTHER_NAME =
  'This server does not have that name: ask for it by its address, or start the run with --metrics NAME:PORT.\n'

/** The metrics of a run, served for Prometheus at `/metrics`. Disposing closes the server. */
export interface RunMetrics extends AsyncDisposable {
  /** `http://127.0.0.1:9464/metrics` */
  readonly address: string
  setBlocks(task: string, counts: Readonly<Record<string, number>>): void
  setBusyWorkers(count: number): void
  addBlock(task: string, seconds: number): void
  addFailedAttempt(task: string): void
  addWorker(): void
  addDeath(): void
  /** A worker has ended. */
  endWorker(): void
  /** What all workers have used so far. */
  setUsed(used: { readonly readBytes: number; readonly writtenBytes: number; readonly peakMemory: number }): void
}

interface MetricsPlace {
  readonly host: string
  readonly port: number
  readonly maxConnections?: number
}

/**
 * Serves the metrics of one run.
 * @param port 0 for a free one
 * @param maxConnections for one more, the oldest is closed: whoever reaches the port may ask, and the run needs open files, too
 * @throws ConfigError `INVALID_CONFIG` if the address can't be used
 */
export async function serveRunMetrics({
  host,
  port,
  maxConnections = mostStrangers(),
}: MetricsPlace): Promise<RunMetrics> {
  const registers = [new Registry()]
  const labelNames = ['task']
  const gauge = (name: string, help: string, labels: string[] = []) =>
    new Gauge({ name: `bellis_${name}`, help, labelNames: labels, registers })
  const counter = (name: string, help: string, labels: string[] = []) =>
    new Counter({ name: `bellis_${name}_total`, help, labelNames: labels, registers })
  const blocks = gauge('blocks', 'Blocks of a task by state.', ['task', 'state'])
  const blockSeconds = new Histogram({
    name: 'bellis_block_seconds',
    help: 'Duration of completed blocks, seconds.',
    labelNames,
    buckets: BLOCK_SECONDS,
    registers,
  })
  const failedAttempts = counter('failed_attempts', 'Failed attempts at blocks.', labelNames)
  const workers = gauge('workers', 'Connected workers.')
  const busy = gauge('busy_workers', 'Workers that are processing blocks.')
  const deaths = counter('worker_deaths', 'Workers that died.')
  const read = counter('read_bytes', 'Bytes of voxels read by workers.')
  const written = counter('written_bytes', 'Bytes of voxels written by workers.')
  const memory = gauge('worker_peak_memory_bytes', 'Peak memory of the largest worker.')
  const before = { readBytes: 0, writtenBytes: 0 }
  const server = await listen(registers[0] as Registry, { host, port, maxConnections })
  const { port: actual } = server.address() as AddressInfo
  return {
    address: `http://${hostInUrl(host)}:${actual}/metrics`,
    setBlocks(task, counts) {
      for (const [state, count] of Object.entries(counts)) blocks.set({ task, state }, count)
    },
    setBusyWorkers: (count) => busy.set(count),
    addBlock: (task, seconds) => blockSeconds.observe({ task }, seconds),
    addFailedAttempt: (task) => failedAttempts.inc({ task }),
    addWorker: () => workers.inc(),
    addDeath: () => deaths.inc(),
    endWorker: () => workers.dec(),
    setUsed({ readBytes, writtenBytes, peakMemory }) {
      // A counter never decreases, whatever a worker reports of itself.
      read.inc(Math.max(0, readBytes - before.readBytes))
      written.inc(Math.max(0, writtenBytes - before.writtenBytes))
      before.readBytes = Math.max(before.readBytes, readBytes)
      before.writtenBytes = Math.max(before.writtenBytes, writtenBytes)
      memory.set(peakMemory)
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise((done) => server.close(done))
      server.closeAllConnections()
      await closed
    },
  }
}

/** The longest time in which a request has to arrive. */
const REQUEST_MS = 30_000

async function listen(registry: Registry, { host, port, maxConnections }: Required<MetricsPlace>): Promise<Server> {
  const names = namesOf(host)
  const server = createServer({ requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS }, (request, response) => {
    if (!isAddressedTo(names, request)) response.writeHead(421).end(OTHER_NAME)
    else if (request.url?.split('?', 1)[0] !== '/metrics') response.writeHead(404).end()
    else if (request.method !== 'GET' && request.method !== 'HEAD')
      response.writeHead(405, { Allow: 'GET, HEAD' }).end()
    else {
      registry.metrics().then(
        (text) => response.writeHead(200, { 'Content-Type': registry.contentType }).end(text),
        (error: unknown) => response.writeHead(500).end(messageOf(error)),
      )
    }
  })
  const connections = new UnprovedConnections(maxConnections)
  server.on('connection', (socket) => connections.add(socket))
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen(port, host, resolve)
  try {
    await promise
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const why = code === 'EADDRINUSE' ? `port ${port} is in use; choose another one` : messageOf(error)
    throw new ConfigError('INVALID_CONFIG', `Metrics can't be served at ${host}: ${why}.`, { cause: error })
  }
  // The server must not keep a finished run alive.
  server.unref()
  return server
}
