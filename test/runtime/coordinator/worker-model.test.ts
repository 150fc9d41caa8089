import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { planPipeline } from '../../../src/runtime/tasks/plan-pipeline.ts'
import type { PlannedPipeline } from '../../../src/runtime/tasks/planned-task.ts'
import { noArrays } from '../../support/inline-run.ts'
import { line } from '../../support/manual-run.ts'
import { EVENTS, type Origin, type OutsideEvent, Simulation } from '../../support/worker-simulation.ts'

/** The longest sequence of events: 4 takes seconds, 10 an hour. Of the states alone, worker-states.test.ts explores all sequences. */
const DEPTH = Number(process.env.BELLIS_TEST_MODEL_DEPTH ?? 4)

let pipeline: PlannedPipeline
before(async () => {
  pipeline = await planPipeline([line({ blocks: 2 })], { arrays: noArrays })
})

async function replay(origin: Origin, path: readonly OutsideEvent[]): Promise<Simulation> {
  const simulation = new Simulation(pipeline, origin)
  for (const event of path) await simulation.happen(event)
  return simulation
}

/** Every state that a sequence of events leads to, with the first such sequence; what follows on one state is tried once. */
async function explore(origin: Origin): Promise<(readonly OutsideEvent[])[]> {
  const seen = new Set<string>()
  const paths: (readonly OutsideEvent[])[] = []
  let front: OutsideEvent[][] = [[]]
  for (let depth = 0; depth <= DEPTH; depth++) {
    const next: OutsideEvent[][] = []
    for (const path of front) {
      const simulation = await replay(origin, path)
      const state = simulation.describe()
      if (seen.has(state)) continue
      seen.add(state)
      paths.push(path)
      if (depth === DEPTH || simulation.isOver) continue
      for (const event of EVENTS) if (simulation.can(event)) next.push([...path, event])
    }
    front = next
  }
  return paths
}

/**
 * What a worker may still be once nothing happens any more: it never connected, so its process may yet be waiting for a machine; or it has no
 * blocks, over a channel in memory, which needs no heartbeats. Both end with the run.
 */
const MAY_REMAIN: Readonly<Record<Origin, readonly (string | undefined)[]>> = {
  joined: [],
  'joined-earlier': [],
  'launched-earlier': [],
  launched: ['starting'],
  'launched with a channel': ['starting', 'ready'],
}

describe('a worker of a real run, after any few events', () => {
  for (const origin of Object.keys(MAY_REMAIN) as Origin[]) {
    it(`${origin}: loses its blocks and ends by timers alone, others do its blocks, and the run can be stopped`, async (t) => {
      const paths = await explore(origin)
      t.diagnostic(`${origin}: ${paths.length} states`)
      assert.ok(paths.length > 90, `${paths.length} states`)
      for (const path of paths) {
        const where = path.join(', ')
        const silent = await replay(origin, path)
        assert.ok(await silent.quiet(), `timers without end after: ${where}`)
        assert.equal(silent.processing, 0, `blocks are held after: ${where}`)
        assert.ok([undefined, ...MAY_REMAIN[origin]].includes(silent.status), `it is ${silent.status} after: ${where}`)
        await silent.finishWithAnother()
        assert.ok(silent.result !== undefined, `another worker did not finish the run after: ${where}`)

        const stopped = await replay(origin, path)
        if (stopped.can('stop')) await stopped.happen('stop')
        await stopped.quiet()
        assert.ok(stopped.result !== undefined, `the run did not stop after: ${where}`)
        assert.equal(stopped.processing, 0)
      }
    })
  }
})
