import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { LayerKind, Layout, View } from '../../../src/core/view/view.ts'
import {
  arrangementOf,
  fitScales,
  layoutState,
  neuroglancerState,
  withCurrentSources,
} from '../../../src/viewer/shared/neuroglancer-state.ts'

const area = { width: 1000, height: 864 }
const axis = (name: string, scale: number, length: number) => ({
  name,
  scale,
  unit: 'm' as const,
  lower: 0,
  upper: length,
})
const view: View = {
  layers: [],
  axes: [axis('z', 40e-9, 100), axis('y', 4e-9, 4000), axis('x', 4e-9, 2000)],
  position: [50.5, 2000.5, 1000.5],
  layout: 'xy',
  coarsest: 4,
}

describe('the state of Neuroglancer', () => {
  it('lays block states over images, in colours of their own, and shows them alone like an image', () => {
    const layer = (name: string, hasStates: boolean) => ({
      ...{ name, path: name, kind: 'image' as const, source: `data/${name}`, zarrFormat: 3 as const, dtype: 'uint8' },
      ...{ shape: [1], voxelSize: '', range: [0, 2] as const, hasStates },
    })
    const states = (names: readonly string[]) =>
      neuroglancerState(
        { ...view, layers: names.map((name) => layer(name, name === 'states')) },
        'http://h/',
        area,
      ) as { layers: { name: string; shader?: string }[]; layout: unknown }
    const both = states(['states', 'raw'])
    assert.deepEqual(
      both.layers.map(({ name, shader }) => [name, shader !== undefined]),
      [
        ['raw', false],
        ['states', true],
      ],
    )
    assert.equal(both.layout, 'xy')
    for (const value of [0, 1, 2]) assert.match(both.layers[1]?.shader ?? '', new RegExp(`state == ${value}u`))
    const three = states(['raw', 'states', 'smooth'])
    assert.match(JSON.stringify(three.layout), /\["raw","states"\].*\["smooth","states"\]/)
    assert.deepEqual(
      states(['states']).layers.map(({ name }) => name),
      ['states'],
    )
  })

  it('shows all data at first, with a small margin', () => {
    const scaleOf = (layout: Layout) =>
      Number(fitScales(view, { layout, sideBySide: false }, area).crossSectionScale.toPrecision(6))
    assert.equal(scaleOf('xy'), 5.30133)
    assert.equal(scaleOf('xz'), 2.12106)
    assert.equal(scaleOf('4panel'), 10.6027)
  })

  it('shows all of a few sections, although the view is centred on one of them', () => {
    const shallow = { ...view, axes: [axis('z', 400e-9, 4), axis('y', 4e-9, 100), axis('x', 4e-9, 100)] }
    // From the centre of the third section it is 1.5 sections to one side, and 2.5 to the other.
    const { crossSectionScale } = fitScales(shallow, { layout: 'xz', sideBySide: false }, area)
    assert.ok((crossSectionScale * (area.height - 64)) / 2 > 2.5 * 100, `${crossSectionScale}`)
  })

  it('shows all data in 3-D, for any shape of the screen', () => {
    const diagonal = Math.hypot(1001, 4001, 2001)
    const scaleOn = (width: number, height: number) =>
      fitScales(view, { layout: '3d', sideBySide: false }, { width, height }).projectionScale
    assert.ok(scaleOn(1000, 864) > diagonal && scaleOn(1000, 864) < 1.3 * diagonal)
    // The scale depends on the height: if the width is half of that, only half of the data fit.
    assert.equal(scaleOn(400, 864), 2 * scaleOn(1000, 864))
  })

  it('zooms out of huge data only as far as their coarsest level fills the screen', () => {
    const huge = { ...view, axes: view.axes.map((one) => ({ ...one, upper: one.upper * 1000 })) }
    assert.equal(fitScales(huge, { layout: 'xy', sideBySide: false }, area).crossSectionScale, 16)
  })

  it('names x first, and shows one section if there is no room or no third axis for four panels', () => {
    const four = { ...view, layout: '4panel' } as const
    const { dimensions, position, layout } = neuroglancerState(four, 'http://h/', area)
    assert.deepEqual(Object.keys(dimensions as object), ['x', 'y', 'z'])
    assert.deepEqual(position, [1000.5, 2000.5, 50.5])
    assert.equal(layout, '4panel')
    assert.equal(neuroglancerState(four, 'http://h/', { width: 390, height: 800 }).layout, 'xy')
    const flat = { ...four, axes: four.axes.slice(1), position: [1, 2] }
    assert.equal(neuroglancerState(flat, 'http://h/', area).layout, 'xy')
  })

  it('arranges several images side by side, with labels over each, and recognises that arrangement', () => {
    const layer = (name: string, kind: LayerKind) =>
      ({ name, kind, path: name, source: 'data/0/', zarrFormat: 3, dtype: 'uint8', shape: [], voxelSize: '' }) as const
    const layers = [layer('ids', 'segmentation'), layer('raw', 'image'), layer('soft', 'image')]
    const many = { ...view, layout: '4panel', layers } as const
    const state = neuroglancerState(many, 'http://h/', area)
    assert.deepEqual(state.layout, {
      type: 'row',
      children: [
        { type: 'viewer', layers: ['raw', 'ids'], layout: 'xy' },
        { type: 'viewer', layers: ['soft', 'ids'], layout: 'xy' },
      ],
    })
    assert.deepEqual(
      (state.layers as { name: string }[]).map(({ name }) => name),
      ['raw', 'soft', 'ids'],
    )
    assert.deepEqual(arrangementOf(state.layout), { layout: 'xy', sideBySide: true })
    const narrow = neuroglancerState(many, 'http://h/', { width: 390, height: 800 })
    assert.equal((narrow.layout as { type: string }).type, 'column')
    for (const layout of ['xz', '3d', '4panel'] as const) {
      for (const sideBySide of [true, false]) {
        assert.deepEqual(arrangementOf(layoutState(many, { layout, sideBySide }, area)), { layout, sideBySide })
      }
    }
    assert.equal(arrangementOf('4panel-alt').layout, '4panel')
    assert.equal(arrangementOf('xy-3d').layout, undefined)
  })

  it('reads from this start of the server if it was kept from an earlier one', () => {
    const kept = '#!{%22source%22:%22http://127.0.0.1:1234/AAAAAAAAAAAAAAAAAAAAAAAA/data/0/|zarr3:%22}'
    const base = 'http://localhost:9/BBBBBBBBBBBBBBBBBBBBBBBB/'
    assert.equal(withCurrentSources(kept, base), `#!{%22source%22:%22${base}data/0/|zarr3:%22}`)
  })
})
