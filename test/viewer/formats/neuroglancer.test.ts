import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import type { Browser } from 'playwright-core'
import type { Scalar, TypedArray } from '../../../src/core/array/dtype.ts'
import { createArray } from '../../../src/entry/arrays.ts'
import type { CreateVolumeOptions } from '../../../src/runtime/volumes/create-volume.ts'
import { browserOrSkip } from '../../support/browser.ts'
import { bundleNeuroglancer, serveNeuroglancer } from '../../support/viewer/neuroglancer-server.ts'
import { type OpenPage, openPage } from '../../support/viewer/open-page.ts'
import { assertSections, gray, OPAQUE, type Volume } from '../../support/viewer/sections.ts'
import { noise } from '../../support/zarr.ts'

const SHAPE = [12, 50, 70] as const
const PLACE = { voxelSize: [40, 4, 4], offset: [80, 40, 12] } as const
const DIMENSIONS = { x: [4e-9, 'm'], y: [4e-9, 'm'], z: [4e-8, 'm'] } as const
/** The first voxel; Neuroglancer does not read where the data of an N5 container start. */
const lowerOf = (scheme: string): readonly [number, number, number] => (scheme === 'n5' ? [0, 0, 0] : [2, 10, 3])
const plainRange = { opacity: 1, shaderControls: { normalized: { range: [0, 255] } } }

/** A way in which Bellis writes volumes, and the name of Neuroglancer's source that reads it. */
type Way = readonly [scheme: string, path: string, options: Partial<CreateVolumeOptions>]

const chunkShape = [5, 16, 32]
const shards = { chunkShape: [4, 10, 16], shardShape: [8, 20, 32] }
const cubes = { chunkShape: [8, 8, 8], shardShape: [16, 16, 16] }
const IMAGES: readonly Way[] = [
  ['zarr', 'raw.zarr/a', { zarrFormat: 2, chunkShape, codec: 'raw' }],
  ['zarr', 'blosc.zarr/a', { zarrFormat: 2, chunkShape, codec: 'blosc-zstd' }],
  ['zarr3', 'zstd.zarr/a', { chunkShape }],
  ['zarr3', 'shards.zarr/a', shards],
  ['n5', 'blocks.n5/gzip', { chunkShape, codec: 'gzip' }],
  ['n5', 'blocks.n5/blosc', { chunkShape, codec: 'blosc' }],
  ['precomputed', 'files.precomputed', { chunkShape, codec: 'raw' }],
  ['precomputed', 'shards.precomputed', { ...cubes, codec: 'raw' }],
]
const LABELS: readonly Way[] = [
  ['zarr', 'labels2.zarr/a', { zarrFormat: 2, chunkShape }],
  ['zarr3', 'labels3.zarr/a', shards],
  ['n5', 'blocks.n5/labels', { chunkShape, codec: 'gzip' }],
  ['precomputed', 'labels.precomputed', { chunkShape, codec: 'compressed_segmentation' }],
  ['precomputed', 'label-shards.precomputed', { ...cubes, codec: 'compressed_segmentation' }],
]
const IDS = [1n, 2n ** 53n + 1n, 2n ** 53n + 2n, 2n ** 63n, 2n ** 64n - 1n]

describe('Neuroglancer itself, in a browser', () => {
  let browser: Browser | undefined
  let bundle: Awaited<ReturnType<typeof bundleNeuroglancer>> | undefined

  before(async () => {
    browser = await browserOrSkip({ skip: () => {} })
    if (browser !== undefined) bundle = await bundleNeuroglancer()
  })
  after(async () => {
    await browser?.close()
    bundle?.[Symbol.dispose]()
  })

  /** Writes a volume in each way, and opens all of them as layers of one page. */
  async function write(t: TestContext, type: 'image' | 'segmentation', ways: readonly Way[], data: TypedArray) {
    if (browser === undefined || bundle === undefined) return void (await browserOrSkip(t))
    const dtype = type === 'image' ? 'uint8' : 'uint64'
    for (const [, path, options] of ways) {
      await using array = await createArray(join(bundle.folder, path), { shape: SHAPE, dtype, ...PLACE, ...options })
      await array.write(array.roi, data)
    }
    const layers = (address: string) =>
      ways.map(([scheme, path]) => {
        // The group of an array in Zarr says where it lies.
        const source = `${scheme}://${address}/${scheme.startsWith('zarr') ? path.replace(/\/a$/, '') : path}`
        return { name: path, type, source }
      })
    const open = await openPage(browser, await serveNeuroglancer(t, bundle.folder, layers, DIMENSIONS))
    t.after(() => open.page.close())
    return open
  }

  async function assertEach(
    open: OpenPage,
    ways: readonly Way[],
    volume: Volume,
    look: Readonly<Record<string, unknown>>,
    colorOf: (value: Scalar) => string,
  ): Promise<void> {
    for (const [, path] of ways) {
      await open.restate({}, Object.fromEntries(ways.map(([, name]) => [name, { ...look, visible: name === path }])))
      await assertSections(open, volume, colorOf, { lower: lowerOf(ways[0]?.[0] ?? '') })
    }
  }

  for (const scheme of ['zarr', 'zarr3', 'n5', 'precomputed']) {
    it(`draws what Bellis writes exactly and in its place, read as ${scheme}://`, async (t) => {
      const ways = IMAGES.filter(([own]) => own === scheme)
      const data = noise('uint8', 12 * 50 * 70, 5)
      const open = await write(t, 'image', ways, data)
      if (open === undefined) return
      await assertEach(open, ways, { data, shape: SHAPE }, plainRange, (value) => gray(Number(value)))
    })
  }

  for (const scheme of ['zarr', 'zarr3', 'n5', 'precomputed']) {
    it(`tells labels of 64 bits apart that Bellis writes, read as ${scheme}://`, async (t) => {
      const ways = LABELS.filter(([own]) => own === scheme)
      // Bars of 7 voxels, one id each.
      const data = BigUint64Array.from({ length: 12 * 50 * 70 }, (_, i) => IDS[Math.floor((i % 70) / 7) % 5] as bigint)
      const open = await write(t, 'segmentation', ways, data)
      if (open === undefined) return
      const [z, y, x] = lowerOf(scheme)
      for (const [layer, [, path]] of ways.entries()) {
        await open.restate(
          { layout: 'xy', crossSectionScale: 0.2, position: [x + 17.5, y + 25, z + 0.5] },
          Object.fromEntries(ways.map(([, name]) => [name, { ...OPAQUE, visible: name === path }])),
        )
        const said: (string | undefined)[] = []
        for (const bar of IDS.keys()) {
          // The first voxel of each bar.
          const place = { across: 'x', down: 'y', acrossVoxels: [x + 7 * bar], downVoxels: [y + 25] }
          said.push((await open.valuesUnderMouse(place))[layer])
        }
        assert.deepEqual(said, IDS.map(String), path)
      }
    })
  }
})
