import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, describe, it } from 'node:test'
import { Campaign } from './campaign.ts'
import { Tally } from './tally.ts'

/** Seeds with which rounds are played each time. */
const SEEDS = ['lichen', 'thistle']
const ROUNDS = 3

describe('a run that is attacked', () => {
  const campaign = new Campaign()
  after(() => campaign[Symbol.dispose]())

  for (const seed of [...SEEDS, randomBytes(6).toString('hex')]) {
    it(`a run that is killed, frozen and disturbed by seed ${seed} ends with every voxel as without`, async (t) => {
      const tally = new Tally()
      for (let round = 0; round < ROUNDS; round++) {
        const { work, report } = await campaign.play(seed, round)
        tally.add(`npm run soak -- --seed ${seed} --round ${round}`, work, report)
        t.diagnostic(`${work}: ${report.faults.join(', ')}; ${report.starts} starts`)
      }
      t.diagnostic(tally.summary())
      assert.deepEqual(tally.complaints, [])
    })
  }
})
