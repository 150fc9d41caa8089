import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { OutputLayer } from '../../../src/core/board/summary.ts'
import { inNanometers, inVoxels, showRegion } from '../../../src/viewer/dashboard/lists/region-text.ts'

describe('the region of a block on the page', () => {
  const roi = { offset: [0, 883_200, 1_177_600], shape: [1_000_000, 294_400, 294_400] }

  it('is in nm, whatever the unit of the task', () => {
    assert.equal(showRegion(inNanometers(roi, { unit: 'pm' })), '0,883.2,1177.6:1000,294.4,294.4')
    assert.equal(showRegion(inNanometers({ offset: [40], shape: [8] }, { unit: 'nm' })), '40:8')
  })

  it('is in voxels of the output, if that has as many axes', () => {
    const output = { voxelSize: [50_000, 4600, 4600], offset: [0, 0, 0] } as unknown as OutputLayer
    assert.deepEqual(inVoxels(roi, output), { offset: [0, 192, 256], shape: [20, 64, 64] })
    assert.equal(inVoxels({ offset: [0], shape: [4] }, output), undefined)
    assert.equal(inVoxels(roi, undefined), undefined)
  })
})
