import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, describe, it } from 'node:test'
import { Campaign } from './campaign.ts'
import { Tally } from './tally.ts'

/** What is played each time: a seed for each, and the workloads of its rounds; undefined: one that the seed draws. */
const SEEDS: readonly (readonly [seed: string, workloads: readonly (string | undefined)[]])[] = [
  ['lichen', [undefined, undefined, undefined]],
  ['thistle', ['chain from zip to N5', 'smooth twice to precomputed', 'label from zip to precomputed']],
  [randomBytes(6).toString('hex'), [undefined, undefined, undefined]],
]

describe('a run that is attacked', () => {
  const campaign = new Campaign()
  after(() => campaign[Symbol.dispose]())

  for (const [seed, workloads] of SEEDS) {
    it(`a run that is killed, frozen and disturbed by seed ${seed} ends with every voxel as without`, async (t) => {
      const tally = new Tally()
      for (const [round, workload] of workloads.entries()) {
        const { work, report } = await campaign.play(seed, round, { workload })
        const again = workload === undefined ? '' : ` --workload "${workload}"`
        tally.add(`npm run soak -- --seed ${seed} --round ${round}${again}`, work, report)
        t.diagnostic(`${work}: ${report.faults.join(', ')}; ${report.starts} starts`)
      }
      t.diagnostic(tally.summary())
      assert.deepEqual(tally.complaints, [])
    })
  }
})
