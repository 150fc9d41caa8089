import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { overviewsOf } from '../../../src/entry/run-folder/run-overview.ts'
import type { RunState } from '../../../src/entry/run-folder/run-state.ts'

/** A run of a chain of two tasks that writes into a container. */
function chain(container: string, sigma: number, more: object = {}, command: readonly string[] = []): RunState {
  const [soft, mask] = [`${container}/soft`, `${container}/mask`]
  const tasks = [
    { id: 'soften', reads: ['in.zarr/raw'], writes: [soft], config: { input: 'in.zarr/raw', output: soft, sigma } },
    { id: 'mask', reads: [soft], writes: [mask], config: { input: soft, output: mask, threshold: 80, ...more } },
  ]
  return { condition: 'done', document: { created: '', directory: '/', tasks, command } } as unknown as RunState
}

describe('what tells runs apart', () => {
  it('is what differs in their configurations, except for the data that they read and write', () => {
    const overviews = overviewsOf([chain('a.zarr', 1), chain('b.zarr', 2)])
    assert.deepEqual(overviews, [
      { active: '', from: 'in.zarr/raw', to: 'a.zarr/mask', parameters: { sigma: 1 } },
      { active: '', from: 'in.zarr/raw', to: 'b.zarr/mask', parameters: { sigma: 2 } },
    ])
  })
  const parametersOf = (...states: RunState[]) => overviewsOf(states).map(({ parameters }) => parameters)

  it('names a field with its task only where the tasks of a run differ in it', () => {
    assert.deepEqual(parametersOf(chain('a.zarr', 1, { sigma: 1 }), chain('a.zarr', 2, { sigma: 2 })), [
      { sigma: 1 },
      { sigma: 2 },
    ])
    assert.deepEqual(parametersOf(chain('a.zarr', 1, { sigma: 1 }), chain('a.zarr', 1, { sigma: 3 })), [
      { 'mask.sigma': 1 },
      { 'mask.sigma': 3 },
    ])
  })

  it('has first what the command line sets, and neither empty values nor names that are derived from paths', () => {
    const command = ['bellis', 'run', 'chain.ts', '--block-write=8,8', '--rule', 'soft']
    const first = chain('a.zarr', 1, { with: {}, list: [], levelOf: 'raw', rule: 'soft', blockWrite: [8, 8] }, command)
    const second = chain('a.zarr', 2, { with: { y: 'b.zarr' }, list: [1], levelOf: 'other' })
    const [of = {}, other = {}] = parametersOf(first, second)
    assert.deepEqual(Object.entries(of), [
      ['rule', 'soft'],
      ['blockWrite', [8, 8]],
      ['sigma', 1],
    ])
    assert.deepEqual(other, { sigma: 2, with: { y: 'b.zarr' }, list: [1], levelOf: 'other' })
  })
})
