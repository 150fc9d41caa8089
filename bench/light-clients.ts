// Many connections in one process, each a worker whose blocks only wait. They start once all are connected. Prints the time
// from an outcome to the next lease as JSON. Run with BELLIS_CONTEXT: node bench/light-clients.ts COUNT MS
import { lightWorker, quantiles } from './light-worker.ts'

const [count = 1, blockMs = 0] = process.argv.slice(2).map(Number)
const waits: number[] = []
let welcome = 0
let start = { at: 0, cpu: process.cpuUsage() }
const started = Promise.withResolvers<void>()
const onWelcome = () => {
  if (++welcome < count) return
  start = { at: performance.now(), cpu: process.cpuUsage() }
  started.resolve()
}
const options = { blockMs: () => blockMs, started: started.promise, onWelcome, onWait: (ms: number) => waits.push(ms) }
await Promise.all(Array.from({ length: count }, () => lightWorker(process.env.BELLIS_CONTEXT ?? '', options)))

const { user, system } = process.cpuUsage(start.cpu)
const cpuShare = (user + system) / 1000 / (performance.now() - start.at)
const at = quantiles(waits)
console.log(JSON.stringify({ leases: waits.length, p50: at(0.5), p99: at(0.99), cpuShare }))
