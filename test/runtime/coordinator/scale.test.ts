import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Faults, ScaleSimulation } from '../../../bench/scale/simulation.ts'

const MINUTE = 60_000
/** So often that every node meets each of them some times. */
const FAULTS: Faults = {
  ...{ deathMs: 8 * MINUTE, freezeMs: 8 * MINUTE, breakMs: 3 * MINUTE, downMs: 3 * MINUTE },
  ...{ stalled: 3e-3, failed: 0.02 },
}
const SIDE = 16
const WORKERS = 160

// The simulation itself throws if a block is leased twice at a time, after it was done, or beside a neighbour that is running.
describe('a run with many workers on nodes that die, freeze, lose their connections and come back', () => {
  for (const seed of [1, 2, 3]) {
    it(`does every block once, and keeps nothing of workers that are gone (seed ${seed})`, async () => {
      const simulation = new ScaleSimulation({
        ...{ seed, side: SIDE, workers: WORKERS, workersPerNode: 16, blockMs: 20_000, sigma: 0.7, faults: FAULTS },
        stallMs: 4 * MINUTE,
      })
      const { result, coordinator } = await simulation.run()
      const { tally } = simulation
      assert.ok(result.ok, JSON.stringify(result.tasks))
      assert.equal(tally.done, SIDE ** 3)
      for (const what of ['failedAttempts', 'stalled', 'deaths', 'freezes', 'breaks'] as const) {
        assert.ok(tally[what] > 0, what)
      }
      // Those that died are kept until they could have reconnected.
      assert.ok(tally.mostWorkers <= 2 * WORKERS, `${tally.mostWorkers} workers at a time`)
      assert.ok(tally.mostTimers <= tally.mostWorkers + 16, `${tally.mostTimers} timers at a time`)
      assert.ok(tally.mostBytes <= SIDE ** 3 + 2 * 32_768, `${tally.mostBytes} bytes of the scheduler`)
      const { shared, parts } = coordinator
      assert.equal(shared.workers.size, 0)
      assert.equal(parts.book.busy.size, 0)
      assert.ok(shared.pools.every(({ requested, joined }) => requested.size + joined.size === 0))
      assert.equal(simulation.time.owed, 0, 'timers after the end')
    })
  }
})
