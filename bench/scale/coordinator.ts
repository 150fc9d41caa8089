// The coordinator of load.ts, in a process of its own: a run of SIDE³ blocks whose workers connect by themselves. Answers over IPC.

import { join } from 'node:path'
import { writeHeapSnapshot } from 'node:v8'
import { startRun } from 'bellis'
import { quantiles } from '../light-worker.ts'
import { volumeTask } from './volume-task.ts'

const [side = '464', runDir = '.'] = process.argv.slice(2)
const send = (message: unknown) => process.send?.(message)
/** Processor time of this thread between two looks, ms: other processes of the machine do not count. */
let bursts: number[] = []
let lastCpu = process.threadCpuUsage()
let leases = 0
let start = { at: 0, cpu: process.cpuUsage(), leases: 0 }
let mostBytes = 0
const startedAt = performance.now()

const run = startRun(volumeTask({ side: Number(side) }), {
  ...{ runDir, pool: 'none', onListening: ({ context }) => send({ type: 'listening', context }) },
  onEvent({ type }) {
    if (type !== 'blocks-leased') return
    if (leases++ === 0) send({ type: 'first-lease', ms: performance.now() - startedAt })
  },
})
const look = setInterval(() => {
  mostBytes = Math.max(mostBytes, process.memoryUsage.rss())
}, 200)
const clock = setInterval(() => {
  const { user, system } = process.threadCpuUsage(lastCpu)
  lastCpu = process.threadCpuUsage()
  bursts.push((user + system) / 1000)
}, 10)

process.on('message', (message) => {
  if (message === 'measure') {
    bursts = []
    start = { at: performance.now(), cpu: process.cpuUsage(), leases }
  } else if (message === 'report') {
    const { user, system } = process.cpuUsage(start.cpu)
    const seconds = (performance.now() - start.at) / 1000
    const at = quantiles(bursts)
    const held = { p99: at(0.99), max: at(1) }
    const counts = { leases: leases - start.leases, seconds, cpuSeconds: (user + system) / 1e6 }
    send({ type: 'report', ...counts, mostBytes, memory: process.memoryUsage(), held })
  } else if (message === 'stop') {
    void run.stop()
  } else if (typeof message === 'string' && message.startsWith('heap ')) {
    // A snapshot takes memory itself, which is not that of the run.
    clearInterval(look)
    writeHeapSnapshot(join(message.slice('heap '.length), 'coordinator.heapsnapshot'))
    send({ type: 'report' })
  }
})
const { error } = await run.result
clearInterval(look)
clearInterval(clock)
if (error !== undefined) console.error(error.message)
process.disconnect()
