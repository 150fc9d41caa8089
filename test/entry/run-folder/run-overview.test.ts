import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { overviewsOf } from '../../../src/entry/run-folder/run-overview.ts'
import type { RunState } from '../../../src/entry/run-folder/run-state.ts'

/** A run of a chain of two tasks that writes into a container. */
function chain(container: string, sigma: number): RunState {
  const [soft, mask] = [`${container}/soft`, `${container}/mask`]
  const tasks = [
    { id: 'soften', reads: ['in.zarr/raw'], writes: [soft], config: { input: 'in.zarr/raw', output: soft, sigma } },
    { id: 'mask', reads: [soft], writes: [mask], config: { input: soft, output: mask, threshold: 80 } },
  ]
  return { condition: 'done', document: { created: '', directory: '/', tasks } } as unknown as RunState
}

describe('what tells runs apart', () => {
  it('is what differs in their configurations, except for the data that they read and write', () => {
    const overviews = overviewsOf([chain('a.zarr', 1), chain('b.zarr', 2)])
    assert.deepEqual(overviews, [
      { active: '', from: 'in.zarr/raw', to: 'a.zarr/mask', parameters: { 'soften.sigma': 1 } },
      { active: '', from: 'in.zarr/raw', to: 'b.zarr/mask', parameters: { 'soften.sigma': 2 } },
    ])
  })
})
