import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { hdf5Format } from '../../src/adapters/hdf5/hdf5-format.ts'
import { type TypedArray, typedArray } from '../../src/core/array/dtype.ts'
import { ConfigError } from '../../src/core/errors.ts'
import { roi } from '../../src/core/geometry/roi.ts'
import { createTissue } from '../../src/sample/tissue.ts'
import { writeSampleFile } from '../../src/sample/write-sample.ts'

const folder = mkdtempSync(join(tmpdir(), 'bellis-sample-'))
after(() => rmSync(folder, { recursive: true }))

/** More than one chunk along each axis, the last of them cropped. */
const size = [19, 150, 140]

async function read(path: string, inner: string): Promise<TypedArray> {
  await using array = await hdf5Format().open(path, inner)
  const data = typedArray(
    array.dtype,
    array.shape.reduce((product, n) => product * n, 1),
  )
  await array.readVoxels(
    roi(
      array.shape.map(() => 0),
      array.shape,
    ),
    data,
  )
  return data
}

describe('sample file', () => {
  it("contains the tissue in the layout of CREMI's sample A", async () => {
    const path = join(folder, 'sample.hdf')
    const done: number[] = []
    const sample = await writeSampleFile(path, { size, seed: 2, onProgress: ({ sections }) => done.push(sections) })
    assert.deepEqual(done, [8, 16, 19])
    assert.equal(sample.bytes, readFileSync(path).length)

    const [raw, ids, clefts] = [
      new Uint8Array(19 * 150 * 140),
      new BigUint64Array(19 * 150 * 140),
      new BigUint64Array(19 * 150 * 140),
    ]
    const area = 150 * 140
    const tissue = createTissue(2)
    const section = { raw: new Uint8Array(area), neuronIds: new Uint32Array(area), clefts: new Uint32Array(area) }
    for (let z = 0; z < 19; z++) {
      tissue.drawSection(z, 150, 140, section)
      raw.set(section.raw, z * area)
      for (let i = 0; i < area; i++) {
        ids[z * area + i] = BigInt(section.neuronIds[i]!)
        clefts[z * area + i] = section.clefts[i] === 0 ? 2n ** 64n - 1n : BigInt(section.clefts[i]!)
      }
    }
    assert.deepEqual(await read(path, 'volumes/raw'), raw)
    assert.deepEqual(await read(path, 'volumes/labels/neuron_ids'), ids)
    assert.deepEqual(await read(path, 'volumes/labels/clefts'), clefts)
    assert.ok(
      clefts.some((value) => value !== 2n ** 64n - 1n),
      'there is a synapse in it',
    )

    await using array = await hdf5Format().open(path, 'volumes/labels/neuron_ids')
    assert.deepEqual(array.codecs, ['gzip:4'])
    assert.deepEqual(array.chunkShape, [8, 128, 128])
    assert.deepEqual(
      array.axes.map(({ name, scale, translation, unit }) => [name, scale, translation, unit]),
      [
        ['z', 40, 0, 'nanometer'],
        ['y', 4, 0, 'nanometer'],
        ['x', 4, 0, 'nanometer'],
      ],
    )
  })

  it('annotates each synapse by two points inside its neurites, in nm', async () => {
    const path = join(folder, 'annotated.hdf')
    const sample = await writeSampleFile(path, { size: [24, 320, 320] })
    const synapses = createTissue(1).synapsesIn([24, 320, 320])
    assert.ok(sample.synapses > 0 && sample.synapses === synapses.length)
    const locations = (await read(path, 'annotations/locations')) as Float64Array
    assert.equal(locations.length, 6 * sample.synapses)
    assert.deepEqual(
      [...locations.slice(0, 3)],
      [synapses[0]!.pre[0] * 40, synapses[0]!.pre[1] * 4, synapses[0]!.pre[2] * 4],
    )
    const partners = (await read(path, 'annotations/presynaptic_site/partners')) as BigUint64Array
    assert.deepEqual(
      [...partners],
      Array.from({ length: 2 * sample.synapses }, (_, i) => BigInt(i + 1)),
    )
    assert.deepEqual([...((await read(path, 'annotations/ids')) as BigUint64Array)], [...partners])
  })

  it('has the same bytes for the same seed at any time', async (t) => {
    const paths = [join(folder, 'one.hdf'), join(folder, 'two.hdf')]
    t.mock.timers.enable({ apis: ['Date'], now: 1_000_000_000_000 })
    await writeSampleFile(paths[0]!, { size: [9, 70, 70] })
    t.mock.timers.setTime(1_500_000_000_000)
    await writeSampleFile(paths[1]!, { size: [9, 70, 70] })
    assert.deepEqual(readFileSync(paths[0]!), readFileSync(paths[1]!))
    await writeSampleFile(paths[1]!, { size: [9, 70, 70], seed: 2 })
    assert.notDeepEqual(readFileSync(paths[0]!), readFileSync(paths[1]!))
  })

  it('is not written if the signal aborts: an existing file is kept, and no other file is left', async () => {
    const own = mkdtempSync(join(folder, 'stopped-'))
    const path = join(own, 'sample.hdf')
    writeFileSync(path, 'precious')
    const controller = new AbortController()
    const reason = new Error('enough')
    const writing = writeSampleFile(path, {
      size: [32, 64, 64],
      signal: controller.signal,
      onProgress: () => controller.abort(reason),
    })
    await assert.rejects(writing, reason)
    assert.deepEqual(readdirSync(own), ['sample.hdf'])
    assert.equal(readFileSync(path, 'utf8'), 'precious')
  })

  it('is not left half written if there is no space, which is reported', { skip: process.platform === 'win32' }, () => {
    const own = mkdtempSync(join(folder, 'full-'))
    const module = new URL('../../src/sample/write-sample.ts', import.meta.url).href
    const script = `import(${JSON.stringify(module)})
      .then((m) => m.writeSampleFile(${JSON.stringify(join(own, 'sample.hdf'))}, { size: [24, 256, 256] }))
      .then(() => console.log('no error'), (error) => console.log(error.name, error.code, error.message))`
    // A limit on the file size fails like a full disk, and needs no privileges.
    const shell = `trap "" XFSZ; ulimit -f 500; exec "$0" -e "$1"`
    const child = spawnSync('bash', ['-c', shell, process.execPath, script], { encoding: 'utf8' })
    assert.match(child.stdout, /^InfrastructureError DISK_FULL .*sample\.hdf.* the disk is full/)
    assert.equal(child.stderr, '')
    assert.deepEqual(readdirSync(own), [])
  })

  it('is not written with an invalid size or seed, or into a missing folder', async () => {
    const refused = (code: string) => (error: unknown) => error instanceof ConfigError && error.code === code
    const path = join(folder, 'never.hdf')
    await assert.rejects(writeSampleFile(path, { size: [64, 0, 64] }), refused('INVALID_CONFIG'))
    await assert.rejects(writeSampleFile(path, { size: [64, 64] }), refused('INVALID_CONFIG'))
    await assert.rejects(writeSampleFile(path, { seed: 1.5 }), refused('INVALID_CONFIG'))
    await assert.rejects(writeSampleFile(join(folder, 'no', 'folder.hdf')), refused('NO_SUCH_FILE'))
  })
})
