// The coordinator of load.ts, in a process of its own: a run of SIDE³ blocks whose workers connect by themselves. Answers over IPC.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { startRun } from 'bellis'
import { volumeTask } from './volume-task.ts'

const [side = '464', runDir = '.'] = process.argv.slice(2)
const send = (message: unknown) => process.send?.(message)
const delay = monitorEventLoopDelay({ resolution: 1 })
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

process.on('message', (message) => {
  if (message === 'measure') {
    delay.reset()
    delay.enable()
    start = { at: performance.now(), cpu: process.cpuUsage(), leases }
  } else if (message === 'report') {
    const { user, system } = process.cpuUsage(start.cpu)
    const seconds = (performance.now() - start.at) / 1000
    const held = { p99: delay.percentile(99) / 1e6, max: delay.max / 1e6 }
    const counts = { leases: leases - start.leases, seconds, cpuSeconds: (user + system) / 1e6 }
    send({ type: 'report', ...counts, mostBytes: Math.max(mostBytes, process.memoryUsage.rss()), held })
  } else if (message === 'stop') {
    void run.stop()
  }
})
const { error } = await run.result
clearInterval(look)
if (error !== undefined) console.error(error.message)
process.disconnect()
