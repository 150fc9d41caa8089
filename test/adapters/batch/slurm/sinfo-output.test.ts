import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { areAllUnusable } from '../../../../src/adapters/batch/slurm/sinfo-output.ts'
import { chosenPartitions } from '../../../../src/adapters/batch/slurm/slurm-environment.ts'

describe('the nodes of a partition', () => {
  const printed = [
    'short* drained',
    'short* down*',
    'urgent mixed',
    'urgent drained',
    'power idle~',
    'late idle*',
    '',
  ].join('\n')

  it('are unusable if each is drained, down or silent', () => {
    assert.equal(areAllUnusable(printed, undefined), true)
    assert.equal(areAllUnusable(printed, ['short']), true)
    assert.equal(areAllUnusable(printed, ['late']), true)
    assert.equal(areAllUnusable('short* unknown*\n', undefined), true)
  })

  it('are usable if one is idle, in use, or switched off to save power', () => {
    assert.equal(areAllUnusable(printed, ['urgent']), false)
    assert.equal(areAllUnusable(printed, ['short', 'urgent']), false)
    assert.equal(areAllUnusable(printed, ['power']), false)
  })

  it('say nothing if there are none, or if the output is not understood', () => {
    assert.equal(areAllUnusable(printed, ['nope']), false)
    assert.equal(areAllUnusable('', undefined), false)
    assert.equal(areAllUnusable('Welcome to the cluster!\n', undefined), false)
  })
})

describe('the partitions of a run', () => {
  it('are those of the last option, in each form, and otherwise those of the environment', () => {
    assert.deepEqual(chosenPartitions(['--partition=a', '-p', 'b,c'], {}), ['b', 'c'])
    assert.deepEqual(chosenPartitions(['-pa'], { SBATCH_PARTITION: 'x' }), ['a'])
    assert.deepEqual(chosenPartitions(['--partition', 'a'], {}), ['a'])
    assert.deepEqual(chosenPartitions(['--time=3'], { SBATCH_PARTITION: 'x' }), ['x'])
    assert.equal(chosenPartitions(['--time=3'], { SBATCH_PARTITION: '' }), undefined)
  })
})
