// The real scheduler and the real coordinator with simulated time: many workers, log-normal block times, and nodes that die, freeze,
// lose their connections and come back. Run: node bench/scale/simulate.ts [--workers 10000] [--side 464] [--done 1000000] [--left N] [--seed 1]
// --done: stop when so many blocks are done. --left: all blocks but so many, at random, are done before.
import { parseArgs } from 'node:util'
import { isBitSet } from '../../src/core/scheduling/bitmap.ts'
import { randomNumbers } from './random.ts'
import { type Faults, ScaleSimulation } from './simulation.ts'

const { values } = parseArgs({
  options: {
    workers: { type: 'string', default: '10000' },
    side: { type: 'string', default: '464' },
    done: { type: 'string', default: '1000000' },
    left: { type: 'string' },
    'block-ms': { type: 'string', default: '10000' },
    sigma: { type: 'string', default: '0.5' },
    seed: { type: 'string', default: '1' },
    calm: { type: 'boolean', default: false },
  },
})
const HOUR = 3_600_000
const faults: Faults = values.calm
  ? { deathMs: 0, freezeMs: 0, breakMs: 0, downMs: 0, stalled: 0, failed: 0 }
  : { deathMs: 2 * HOUR, freezeMs: 2 * HOUR, breakMs: HOUR, downMs: HOUR / 4, stalled: 1e-5, failed: 1e-3 }
const blocks = Number(values.side) ** 3

function doneBefore(left: number): Uint8Array {
  const done = new Uint8Array(Math.ceil(blocks / 8)).fill(255)
  const random = randomNumbers(Number(values.seed) + 2)
  for (let open = 0; open < left; ) {
    const block = Math.floor(random() * blocks)
    if (!isBitSet(done, block)) continue
    done[block >> 3]! &= ~(1 << (block & 7))
    open++
  }
  return done
}

const [seed, workers] = [Number(values.seed), Number(values.workers)]
const done = values.left === undefined ? undefined : doneBefore(Number(values.left))
const stopAfter = done === undefined ? { stopAfter: Number(values.done) } : { done }
const simulation = new ScaleSimulation({
  ...{ seed, workers, side: Number(values.side), workersPerNode: 64, faults, ...stopAfter },
  ...{ blockMs: Number(values['block-ms']), sigma: Number(values.sigma) },
})
const cpu = process.cpuUsage()
const { result } = await simulation.run()
const { user, system } = process.cpuUsage(cpu)
const cpuSeconds = (user + system) / 1e6
const { tally } = simulation
console.log(
  `seed ${seed}, ${workers} workers, ${blocks} blocks${done === undefined ? '' : `, of which ${values.left} were left`}`,
)
console.log(
  `${tally.done} blocks done in ${(tally.seconds / 3600).toFixed(2)} simulated hours, ${(tally.done / tally.seconds).toFixed(0)} per second; ${result.ok ? 'complete' : 'stopped'}`,
)
console.log(
  `${tally.leases} leases, ${tally.failedAttempts} failed attempts, ${tally.returned} blocks returned, ${tally.stalled} workers stalled; nodes: ${tally.deaths} deaths, ${tally.freezes} freezes, ${tally.breaks} broken connections`,
)
console.log(
  `${cpuSeconds.toFixed(0)} s of processor time with the simulation, ${((1e6 * cpuSeconds) / tally.leases).toFixed(1)} µs per lease, ${((100 * cpuSeconds) / tally.seconds).toFixed(2)} % of the simulated time`,
)
console.log(
  `at most ${tally.mostWorkers} workers and ${tally.mostTimers} timers, ${(tally.mostBytes / 1e6).toFixed(1)} MB of the scheduler, ${(tally.mostResident / 1e6).toFixed(0)} MB resident`,
)
