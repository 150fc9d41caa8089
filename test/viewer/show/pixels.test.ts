import assert from 'node:assert/strict'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import type { Browser } from 'playwright-core'
import { bytesOf, type Scalar, type TypedArray } from '../../../src/core/array/dtype.ts'
import { createArray, openArray } from '../../../src/entry/arrays.ts'
import { type ShownDataset, startViewer, type ViewerOptions } from '../../../src/entry/pages/viewer-server.ts'
import type { CreateVolumeOptions } from '../../../src/runtime/volumes/create-volume.ts'
import { browserOrSkip } from '../../support/browser.ts'
import { bellis, temporaryFolder } from '../../support/command-line.ts'
import { sharedDataOrSkip } from '../../support/shared-data.ts'
import { type OpenPage, openPage, type PageOptions } from '../../support/viewer/open-page.ts'
import { assertSections, BARE, gray, indices, OPAQUE, type Volume } from '../../support/viewer/sections.ts'
import { noise } from '../../support/zarr.ts'

async function readWhole(path: string): Promise<Volume> {
  await using array = await openArray(path)
  return await array.read(array.roi)
}

async function make(path: string, data: TypedArray, options: CreateVolumeOptions): Promise<Volume> {
  const array = await createArray(path, options)
  await array.write(array.roi, data)
  await array.close()
  return { data, shape: array.shape }
}

describe('the page that bellis show serves, in a browser', () => {
  const folder = temporaryFolder()
  const path = (name: string) => join(folder.path, name)
  let browser: Browser | undefined

  before(async () => {
    browser = await browserOrSkip({ skip: () => {} })
  })
  after(async () => {
    await browser?.close()
    folder[Symbol.dispose]()
  })

  async function show(
    t: TestContext,
    datasets: readonly ShownDataset[],
    options?: ViewerOptions,
    page?: PageOptions,
  ): Promise<OpenPage | undefined> {
    if (browser === undefined) return void (await browserOrSkip(t))
    const viewer = await startViewer(datasets, options)
    t.after(() => viewer[Symbol.asyncDispose]())
    const open = await openPage(browser, viewer.address, page)
    t.after(() => open.page.close())
    return open
  }

  const plainRange = { shaderControls: { normalized: { range: [0, 255] } } }

  /** Draws each of the datasets of one page alone. */
  async function assertEach(
    open: OpenPage,
    volumes: readonly Volume[],
    look: Readonly<Record<string, unknown>>,
    colorOf: (value: Scalar) => string,
    lower?: readonly number[],
  ): Promise<void> {
    const names = open.view.layers.map((layer) => layer.name)
    for (const [i, volume] of volumes.entries()) {
      const visible = (name: string) => ({ ...look, visible: name === names[i] })
      await open.restate({}, Object.fromEntries(names.map((name) => [name, visible(name)])))
      await assertSections(open, volume, colorOf, lower === undefined ? {} : { lower })
    }
  }

  /** A uint8 image drawn with 0 as black and 255 as white shows its values as grey levels. */
  async function assertGray(
    t: TestContext,
    datasets: readonly (readonly [path: string, volume: Volume])[],
    lower?: readonly number[],
    page?: PageOptions,
  ): Promise<void> {
    const shown = datasets.map(([path]) => ({ path, kind: 'image' as const }))
    const open = await show(t, shown, {}, page)
    if (open === undefined) return
    const volumes = datasets.map(([, volume]) => volume)
    await assertEach(open, volumes, plainRange, (value) => gray(Number(value)), lower)
  }

  const shape = [12, 50, 70]
  const bytes = () => noise('uint8', 12 * 50 * 70, 5)

  it('draws Zarr 2 exactly, raw and compressed', async (t) => {
    const datasets: [string, Volume][] = []
    for (const codec of ['raw', 'blosc-lz4', 'zstd', 'gzip']) {
      const dataset = path(`v2.zarr/${codec}`)
      const options = { shape, dtype: 'uint8', chunkShape: [5, 16, 32], codec, zarrFormat: 2 } as const
      datasets.push([dataset, await make(dataset, bytes(), options)])
    }
    await assertGray(t, datasets)
  })

  it('draws Zarr 2 in Fortran’s order exactly', async (t) => {
    const dataset = path('fortran.zarr')
    mkdirSync(dataset)
    const [depth, height, width] = [6, 8, 10] as const
    const data = noise('uint8', depth * height * width, 3)
    const turned = new Uint8Array(data.length)
    for (let i = 0; i < data.length; i++) {
      const [z, y, x] = [Math.floor(i / (height * width)), Math.floor(i / width) % height, i % width] as const
      turned[z + depth * (y + height * x)] = Number(data[i])
    }
    const metadata = { zarr_format: 2, shape: [depth, height, width], chunks: [depth, height, width], dtype: '|u1' }
    const rest = { compressor: null, fill_value: null, order: 'F', filters: null }
    writeFileSync(join(dataset, '.zarray'), JSON.stringify({ ...metadata, ...rest }))
    writeFileSync(join(dataset, '0.0.0'), turned)
    await assertGray(t, [[dataset, { data, shape: [depth, height, width] }]])
  })

  it('draws Zarr 3 in shards exactly', async (t) => {
    const dataset = path('v3.zarr/sharded')
    const options = { shape, dtype: 'uint8', chunkShape: [4, 10, 16], shardShape: [8, 20, 32] } as const
    await assertGray(t, [[dataset, await make(dataset, bytes(), options)]])
  })

  it('draws N5 and precomputed volumes exactly', async (t) => {
    const datasets: [string, Volume][] = []
    for (const name of ['blocks.n5/raw', 'volume.precomputed']) {
      const options = { shape, dtype: 'uint8', chunkShape: [5, 16, 32] } as const
      const codec = name.endsWith('raw') ? 'gzip' : 'raw'
      datasets.push([path(name), await make(path(name), bytes(), { ...options, codec })])
    }
    await assertGray(t, datasets)
  })

  it('draws HDF5 exactly, raw and labels', async (t) => {
    const { code, stderr } = await bellis(['sample', 'sample.hdf', '--size', '12,64,96', '--quiet'], {
      cwd: folder.path,
    })
    assert.equal(code, 0, stderr)
    const raw = path('sample.hdf/volumes/raw')
    await assertGray(t, [[raw, await readWhole(raw)]])
    await assertLabels(t, [path('sample.hdf/volumes/labels/neuron_ids')])
  })

  it('draws the real electron micrographs exactly', async (t) => {
    const file = sharedDataOrSkip(t, 'vnc_small.hdf')
    if (file === undefined) return
    const raw = join(file, 'volumes/raw')
    await assertGray(t, [[raw, await readWhole(raw)]], undefined, { viewport: { width: 800, height: 640 } })
  })

  /** Each label is drawn in the colour that the page has for its id, so a rounded id would be noticed. */
  async function assertLabels(t: TestContext, datasets: readonly string[]): Promise<void> {
    const open = await show(
      t,
      datasets.map((dataset) => ({ path: dataset })),
    )
    if (open === undefined) return
    assert.deepEqual(new Set(open.view.layers.map(({ kind }) => kind)), new Set(['segmentation']))
    const volumes: Volume[] = []
    for (const dataset of datasets) volumes.push(await readWhole(dataset))
    const ids = [...new Set(volumes.flatMap(({ data }) => [...new Set(data as BigUint64Array)]))]
    const colors = new Map(ids.map((id, i) => [id, i]))
    const drawn = await open.page.evaluate((texts) => {
      interface ColorHash {
        compute(out: Float32Array, id: bigint): void
      }
      interface Layer {
        displayState: { segmentationColorGroupState: { value: { segmentColorHash: ColorHash } } }
      }
      const { viewer } = window as unknown as { viewer: { layerManager: { managedLayers: { layer: Layer }[] } } }
      const { layer } = viewer.layerManager.managedLayers[0] as { layer: Layer }
      const hash = layer.displayState.segmentationColorGroupState.value.segmentColorHash
      return texts.map((text) => {
        const out = new Float32Array(3)
        hash.compute(out, BigInt(text))
        return [...out]
          .map((part) =>
            Math.round(part * 255)
              .toString(16)
              .padStart(2, '0'),
          )
          .join('')
      })
    }, ids.map(String))
    await assertEach(open, volumes, OPAQUE, (value) => drawn[colors.get(value as bigint) as number] as string)
  }

  it('draws labels beyond 2^53 in the colour of their own id', async (t) => {
    const ids = [1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 53n + 2n, 2n ** 63n, 2n ** 63n + 1n, 2n ** 64n - 1n]
    const data = BigUint64Array.from(
      { length: 8 * 30 * 40 },
      (_, i) => ids[(i * 13 + Math.floor(i / 40)) % ids.length] as bigint,
    )
    const datasets = ([2, 3] as const).map((zarrFormat) => [path(`labels${zarrFormat}.zarr`), zarrFormat] as const)
    for (const [dataset, zarrFormat] of datasets) {
      await make(dataset, data, { shape: [8, 30, 40], dtype: 'uint64', chunkShape: [4, 16, 16], zarrFormat })
    }
    await assertLabels(
      t,
      datasets.map(([dataset]) => dataset),
    )
  })

  it('shows the exact id under the mouse', async (t) => {
    const ids = [2n ** 53n + 1n, 2n ** 53n + 2n, 2n ** 63n + 1n, 2n ** 64n - 2n, 7n]
    // Columns of 8 voxels, one id each.
    const data = BigUint64Array.from({ length: 4 * 20 * 40 }, (_, i) => ids[Math.floor((i % 40) / 8)] as bigint)
    await make(path('mouse.zarr'), data, { shape: [4, 20, 40], dtype: 'uint64' })
    const open = await show(t, [{ path: path('mouse.zarr') }])
    if (open === undefined) return
    await open.restate({ ...BARE, crossSectionScale: 0.1, position: [20, 10, 1.5] })
    const said: string[][] = []
    for (const column of [4, 12, 20, 28, 36]) {
      said.push(await open.valuesUnderMouse({ across: 'x', down: 'y', acrossVoxels: [column], downVoxels: [10] }))
    }
    assert.deepEqual(
      said,
      ids.map((id) => [String(id)]),
    )
  })

  /** Coarser voxels, one per pixel, so the centre of a voxel must be that of a pixel. @param fine number of voxels across the finest level */
  async function assertCoarse(open: OpenPage, { data, shape }: Volume, fine: number): Promise<void> {
    const [, rows, columns] = shape as [number, number, number]
    const factor = fine / columns
    const z = 3
    const { width, height } = await open.panel()
    const middle = (pixels: number) => (pixels % 2 === 0 ? fine / 2 : fine / 2 + factor / 2)
    await open.restate({ ...BARE, crossSectionScale: factor, position: [middle(width), middle(height), z + 0.5] })
    const middles = (count: number) => indices(count).map((i) => factor * (i + 0.5) - 0.5)
    const colors = await open.colors({
      across: 'x',
      down: 'y',
      acrossVoxels: middles(columns),
      downVoxels: middles(rows),
    })
    const wrong = colors.filter((color, i) => color !== gray(Number(data[z * rows * columns + i])))
    assert.equal(wrong.length, 0, `${wrong.length} of ${colors.length} differ`)
  }

  it('draws each level that bellis downsample makes exactly', async (t) => {
    const run = async (...args: string[]) => {
      const { code, stderr } = await bellis([...args, '--quiet'], { cwd: folder.path })
      assert.equal(code, 0, stderr)
    }
    await run('sample', 'levels.hdf', '--size', '8,128,128')
    await run('convert', 'levels.hdf/volumes/raw', 'levels.zarr/raw', '--chunk', '8,32,32', '--pool', 'inline')
    await run('downsample', 'levels.zarr/raw', '--factor', '1,2,2', '--levels', '2', '--pool', 'inline')
    const open = await show(t, [{ path: path('levels.zarr/raw'), kind: 'image' }])
    if (open === undefined) return
    await open.restate({}, { raw: plainRange })
    await assertSections(open, await readWhole(path('levels.zarr/raw')), (value) => gray(Number(value)))
    await assertCoarse(open, await readWhole(path('levels.zarr/raw_s1')), 128)
    await assertCoarse(open, await readWhole(path('levels.zarr/raw_s2')), 128)
    assert.deepEqual(open.complaints, [])
  })

  it('draws the level of a pyramid that matches the zoom, and each level exactly', async (t) => {
    const group = path('pyramid.zarr')
    const [fine, coarse] = [noise('uint8', 8 * 64 * 64, 1), noise('uint8', 8 * 32 * 32, 2)]
    const place = { dtype: 'uint8', chunkShape: [4, 16, 16] } as const
    const levels = [
      await make(join(group, 's0'), fine, { ...place, shape: [8, 64, 64], voxelSize: [16, 4, 4] }),
      await make(join(group, 's1'), coarse, { ...place, shape: [8, 32, 32], voxelSize: [16, 8, 8] }),
    ] as const
    const scaled = (path: string, scale: readonly number[]) => ({
      path,
      coordinateTransformations: [
        { type: 'scale', scale },
        { type: 'translation', translation: scale.map((size) => size / 2) },
      ],
    })
    const axes = ['z', 'y', 'x'].map((name) => ({ name, type: 'space', unit: 'nanometer' }))
    const multiscales = [{ name: 'p', axes, datasets: [scaled('s0', [16, 4, 4]), scaled('s1', [16, 8, 8])] }]
    const attributes = { ome: { version: '0.5', multiscales } }
    writeFileSync(join(group, 'zarr.json'), JSON.stringify({ zarr_format: 3, node_type: 'group', attributes }))
    const open = await show(t, [{ path: group, kind: 'image' }])
    if (open === undefined) return
    await open.restate({}, { [open.view.layers[0]?.name ?? '']: plainRange })
    await assertSections(open, levels[0], (value) => gray(Number(value)))
    await assertCoarse(open, levels[1], 64)
  })

  it('draws an array with an offset and voxels of 4.6 nm at its position', async (t) => {
    const place = { voxelSize: [50_000, 4600, 4600], offset: [350_000, 460_000, 2300], unit: 'pm' } as const
    const datasets: [string, Volume][] = []
    for (const zarrFormat of [2, 3] as const) {
      const dataset = path(`placed${zarrFormat}.zarr/raw`)
      datasets.push([dataset, await make(dataset, bytes(), { shape, dtype: 'uint8', zarrFormat, ...place })])
    }
    await assertGray(t, datasets, [7, 100, 0.5])
  })

  it('overlays arrays with and without names for their axes', async (t) => {
    const data = bytes()
    await make(path('named.zarr/raw'), data, { shape, dtype: 'uint8', voxelSize: [40, 4, 4], offset: [40, 8, 0] })
    await make(path('bare.zarr'), data, { shape, dtype: 'uint8', axisNames: ['d0', 'd1', 'd2'] })
    const open = await show(t, [{ path: path('named.zarr/raw') }, { path: path('bare.zarr') }], {
      position: [80, 100, 100],
    })
    if (open === undefined) return
    const state = await open.page.evaluate(() => {
      const { viewer } = window as unknown as { viewer: { state: { toJSON(): Record<string, unknown> } } }
      return viewer.state.toJSON()
    })
    assert.deepEqual(state.dimensions, { x: [4e-9, 'm'], y: [4e-9, 'm'], z: [4e-8, 'm'] })
    assert.deepEqual(state.position, [25.5, 25.5, 2.5])
    assert.deepEqual(
      (state.layers as { name: string; type: string }[]).map(({ name, type }) => `${name}: ${type}`),
      ['raw: image', 'bare.zarr: image'],
    )
    assert.deepEqual(open.complaints, [])
  })

  it('draws element types that Neuroglancer does not support', async (t) => {
    const values = Float64Array.from(bytes() as Uint8Array)
    const cases: [string, TypedArray, CreateVolumeOptions][] = [
      ['float64', values, { shape, dtype: 'float64' }],
      ['int64', BigInt64Array.from(values, BigInt), { shape, dtype: 'int64' }],
      ['float16', new Float16Array(values), { shape, dtype: 'float16' }],
    ]
    for (const [name, data, options] of cases) await make(path(`other.zarr/${name}`), data, options)
    await assertGray(
      t,
      cases.map(([name]) => [path(`other.zarr/${name}`), { data: bytesOf(bytes()), shape }]),
    )
  })

  it('keeps its state in the address, and restores it from there', async (t) => {
    const dataset = path('state.zarr')
    await make(dataset, bytes(), { shape, dtype: 'uint8' })
    const open = await show(t, [{ path: dataset }], { layout: 'xz' })
    if (open === undefined) return
    await open.page.getByText('yz', { exact: true }).click()
    await open.page.waitForFunction(() => decodeURIComponent(location.hash).includes('"layout":"yz"'))
    const { hash, href } = new URL(open.page.url())
    // Opened again, and at the address of another start of the server, which has another token.
    const second = await startViewer([{ path: dataset }])
    t.after(() => second[Symbol.asyncDispose]())
    for (const address of [href, second.address + hash]) {
      const again = await openPage(open.page.context().browser() as Browser, address)
      t.after(() => again.page.close())
      assert.equal(await again.page.locator('#layouts input:checked').getAttribute('value'), 'yz')
      await again.restate({}, { [again.view.layers[0]?.name ?? '']: plainRange })
      await assertSections(again, { data: bytes(), shape }, (value) => gray(Number(value)))
    }
  })

  it('reports that the data are gone, and that the server is gone', async (t) => {
    if (browser === undefined) return void (await browserOrSkip(t))
    const dataset = path('gone.zarr')
    await make(dataset, bytes(), { shape, dtype: 'uint8' })
    const viewer = await startViewer([{ path: dataset }])
    const open = await openPage(browser, viewer.address)
    t.after(() => open.page.close())
    const message = open.page.getByRole('alert')
    assert.equal(await message.isVisible(), false)
    rmSync(dataset, { recursive: true })
    await message.getByText('gone.zarr: the data no longer exist').waitFor()
    await viewer[Symbol.asyncDispose]()
    await message.getByText('bellis no longer responds').waitFor()
  })

  it('reports that there are no data to show', async (t) => {
    const dataset = path('nothing.zarr')
    await (await createArray(dataset, { shape, dtype: 'uint8' })).close()
    await make(path('something.zarr'), bytes(), { shape, dtype: 'uint8' })
    const message = async (name: string) =>
      (await show(t, [{ path: path(name) }]))?.page.getByText('every sampled voxel is 0').isVisible()
    if (browser === undefined) return void (await browserOrSkip(t))
    assert.deepEqual([await message('nothing.zarr'), await message('something.zarr')], [true, false])
  })

  it('reports that a part can’t be read, and draws the rest', async (t) => {
    const dataset = path('holes.zarr')
    await make(dataset, bytes(), { shape, dtype: 'uint8', chunkShape: [12, 25, 35] })
    writeFileSync(join(dataset, 'c', '0', '1', '1'), 'nothing of the kind')
    const open = await show(t, [{ path: dataset }], {}, { hasHoles: true })
    if (open === undefined) return
    await open.page.getByRole('alert').getByText('holes.zarr: 1 visible chunk can’t be read').waitFor()
    await open.restate({ ...BARE, position: [35, 25, 6.5] }, { 'holes.zarr': plainRange })
    const all = { across: 'x', down: 'y', acrossVoxels: indices(70), downVoxels: indices(25) }
    const section = [...bytes()].slice(6 * 3500, 6 * 3500 + 25 * 70)
    assert.deepEqual(
      await open.colors(all),
      section.map((value) => gray(Number(value))),
    )
  })

  it('can be used with the keyboard alone: every control can be reached and left again', async (t) => {
    const dataset = path('keys.zarr')
    await make(dataset, bytes(), { shape, dtype: 'uint8' })
    const open = await show(t, [{ path: dataset }])
    if (open === undefined) return
    const { page } = open
    const focused = () =>
      page.evaluate(() => {
        const { id, className, value } = document.activeElement as HTMLInputElement
        return id || className.split(' ')[0] || value
      })
    const reached: string[] = []
    await page.locator('#layouts input:checked').focus()
    for (let i = 0; i < 8; i++) {
      reached.push(await focused())
      await page.keyboard.press('Tab')
    }
    const place = Array(3).fill('neuroglancer-position-dimension-coordinate')
    assert.deepEqual(reached.slice(0, 6), ['4panel', 'fit', 'theme', ...place])
    assert.notEqual(reached[6], place[0])
    await page.locator('#layouts input:checked').focus()
    await page.keyboard.press('ArrowLeft')
    await page.waitForFunction(() => decodeURIComponent(location.hash).includes('"layout":"yz"'))
    const theme = () => page.evaluate(() => document.documentElement.dataset.theme)
    const before = await theme()
    await page.locator('#theme').focus()
    await page.keyboard.press('Enter')
    assert.notEqual(await theme(), before)
  })

  for (const [width, height] of [
    [1280, 800],
    [390, 844],
  ] as const) {
    it(`fits a screen of ${width} × ${height}, and the first view fits the data`, async (t) => {
      const dataset = path(`fit${width}.zarr`)
      await make(dataset, bytes(), { shape, dtype: 'uint8', voxelSize: [8, 4, 4] })
      const open = await show(t, [{ path: dataset }], { layout: 'xy' }, { viewport: { width, height } })
      if (open === undefined) return
      const overflow = await open.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
      assert.ok(overflow <= 0, `${overflow} px wider than the screen`)
      const corners = await open.colors({ across: 'x', down: 'y', acrossVoxels: [-8, 0, 69, 77], downVoxels: [0, 49] })
      const [left, , , right] = corners
      const isWide = width > height
      // All of it is on the screen, and it fills the longer side.
      assert.equal(corners.filter((color, i) => (i % 4 === 1 || i % 4 === 2 ? color === undefined : false)).length, 0)
      if (!isWide) assert.deepEqual([left, right], [undefined, undefined])
    })
  }
})
