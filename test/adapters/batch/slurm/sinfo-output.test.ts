import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isOneUnusable } from '../../../../src/adapters/batch/slurm/sinfo-output.ts'
import { chosenPartitions } from '../../../../src/adapters/batch/slurm/slurm-environment.ts'

describe('the nodes of a partition', () => {
  const printed = [
    'short* mixed',
    'short* down*',
    'urgent mixed',
    'urgent allocated',
    'power idle~',
    'late idle*',
    'service drained',
    '',
  ].join('\n')

  it('have one that can’t be used if it is drained, down, silent, or not known yet', () => {
    assert.equal(isOneUnusable(printed, undefined), true)
    assert.equal(isOneUnusable(printed, ['short']), true)
    assert.equal(isOneUnusable(printed, ['late']), true)
    assert.equal(isOneUnusable(printed, ['urgent', 'service']), true)
    assert.equal(isOneUnusable('short* unknown*\n', undefined), true)
  })

  it('can all be used if each is idle, in use, or switched off to save power', () => {
    assert.equal(isOneUnusable(printed, ['urgent']), false)
    assert.equal(isOneUnusable(printed, ['urgent', 'power']), false)
  })

  it('say nothing if there are none, or if the output is not understood', () => {
    assert.equal(isOneUnusable(printed, ['nope']), false)
    assert.equal(isOneUnusable('', undefined), false)
    assert.equal(isOneUnusable('Welcome to the cluster!\n', undefined), false)
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
