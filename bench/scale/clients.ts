// Light workers of load.ts: COUNT connections whose blocks take log-normal times. Answers over IPC.
import { lightWorker, quantiles } from '../light-worker.ts'
import { logNormal, randomNumbers } from './random.ts'

const [count = 1, meanMs = 10_000, sigma = 0.5, seed = 1] = process.argv.slice(2).map(Number)
const context = process.env.BELLIS_CONTEXT ?? ''
const blockMs = logNormal(randomNumbers(seed), meanMs, sigma)
const started = Promise.withResolvers<void>()
let waits: number[] = []
let welcome = 0
const onWelcome = () => {
  if (++welcome === count) process.send?.({ type: 'connected' })
}
process.on('message', (message) => {
  if (message === 'start') started.resolve()
  if (message === 'measure') waits = []
  if (message === 'report') {
    const at = quantiles(waits)
    process.send?.({ type: 'report', leases: waits.length, p50: at(0.5), p99: at(0.99), max: at(1) })
  }
})
const options = { blockMs, started: started.promise, onWelcome, onWait: (ms: number) => waits.push(ms), reports: true }
const workers: Promise<void>[] = []
for (let index = 0; index < count; index++) {
  workers.push(lightWorker(context, { ...options, host: `node-${seed}-${Math.floor(index / 64)}` }))
  // As many as connect while the others' messages are read.
  if (index % 50 === 49) await new Promise(setImmediate)
}
await Promise.all(workers)
process.disconnect()
