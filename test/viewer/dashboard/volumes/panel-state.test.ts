import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { DashboardView } from '../../../../src/core/board/summary.ts'
import { panelLayout, panelsOf } from '../../../../src/viewer/dashboard/volumes/panel-state.ts'

const layer = (name: string, kind: 'image' | 'segmentation' = 'image') => ({
  ...{ name, kind, path: name, source: `data/${name}/`, zarrFormat: 3 as const, dtype: 'uint8' },
  ...{ shape: [1, 8, 8], voxelSize: '1 × 1 × 1 nm' },
})

/** A run that reads the first layer and writes the others. */
function viewOf(...names: readonly string[]): DashboardView {
  const written = names.slice(1)
  return {
    layers: [...names.map((name) => layer(name)), layer('labels', 'segmentation')],
    axes: ['z', 'y', 'x'].map((name) => ({ name, scale: 1e-9, unit: 'm' as const, lower: 0, upper: 8 })),
    ...{ position: [0, 4, 4], layout: 'xy', coarsest: 1 },
    outputs: [...written, 'labels'].map((_, i) => ({
      ...{ task: i, layer: i + 1, level: 0, offset: [0, 0, 0], voxelSize: [1, 1, 1] },
    })),
    states: written.map((name, task) => ({ task, name: `${name} blocks`, source: '', chunkShape: [1, 8, 8] })),
  }
}

describe('the volumes of a run', () => {
  it('are side by side where there is room, otherwise one at a time, written ones first', () => {
    const view = viewOf('raw', 'smooth', 'mask')
    assert.deepEqual(panelsOf(view, { width: 580, height: 300 }), { shown: [1, 2], tabs: [] })
    assert.deepEqual(panelsOf(view, { width: 390, height: 300 }), { shown: [1], tabs: [1, 2, 0] })
    assert.deepEqual(panelsOf(view, { width: 390, height: 300 }, 2).shown, [2])
    assert.deepEqual(panelsOf(view, { width: 390, height: 300 }, 7).shown, [1])
    assert.deepEqual(panelsOf(viewOf('raw', 'smooth'), { width: 580, height: 300 }).shown, [0, 1])
  })

  it('have the states of their blocks and the labels that the run writes over them', () => {
    const view = viewOf('raw', 'smooth', 'mask')
    assert.deepEqual(panelLayout(view, { shown: [2], tabs: [] }), {
      ...{ type: 'viewer', layout: 'xy', layers: ['mask', 'labels', 'mask blocks'] },
    })
  })
})
