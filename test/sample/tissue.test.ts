import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { createTissue, type Tissue } from '../../src/sample/tissue.ts'

interface Volume {
  readonly raw: Uint8Array
  readonly neuronIds: Uint32Array
  readonly clefts: Uint32Array
}

const DEPTH = 24
const SIDE = 320

function drawVolume(tissue: Tissue, depth: number, height: number, width: number): Volume {
  const area = height * width
  const volume = {
    raw: new Uint8Array(depth * area),
    neuronIds: new Uint32Array(depth * area),
    clefts: new Uint32Array(depth * area),
  }
  for (let z = 0; z < depth; z++) {
    const part = [z * area, (z + 1) * area] as const
    tissue.drawSection(z, height, width, {
      raw: volume.raw.subarray(...part),
      neuronIds: volume.neuronIds.subarray(...part),
      clefts: volume.clefts.subarray(...part),
    })
  }
  return volume
}

const checksum = (data: Uint8Array | Uint32Array) => {
  return createHash('sha256')
    .update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    .digest('hex')
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

describe('synthetic tissue', () => {
  const tissue = createTissue(1)
  const volume = drawVolume(tissue, DEPTH, SIDE, SIDE)
  const indices = Array.from(volume.raw.keys())

  it('is the same on every machine', () => {
    assert.deepEqual([volume.raw, volume.neuronIds, volume.clefts].map(checksum), [
      'aa23c2723778210ae8d0bb2ec8589aed67c3a7cf46682624a31ca071ef368b61',
      '50537403a9fd55560ae0aeb6f9cf42e666d1031ffdff6816fbd45d64cdf7fe4b',
      'f79e27fcab3ac0321407482525ad36b33b351266945341d329881b35d1fff7e1',
    ])
  })

  it('depends on the seed', () => {
    assert.notEqual(
      checksum(drawVolume(createTissue(2), 1, 64, 64).raw),
      checksum(drawVolume(createTissue(1), 1, 64, 64).raw),
    )
  })

  it('gives a voxel the same value in a volume of any size, drawn in any order', () => {
    const [height, width] = [75, 133]
    for (const z of [17, 3]) {
      const small = {
        raw: new Uint8Array(height * width),
        neuronIds: new Uint32Array(height * width),
        clefts: new Uint32Array(height * width),
      }
      createTissue(1).drawSection(z, height, width, small)
      for (const name of ['raw', 'neuronIds', 'clefts'] as const) {
        for (let y = 0; y < height; y++) {
          const from = (z * SIDE + y) * SIDE
          const [whole, part] = [
            volume[name].subarray(from, from + width),
            small[name].subarray(y * width, (y + 1) * width),
          ]
          assert.deepEqual(part, whole, `${name} in row ${y} of section ${z}`)
        }
      }
    }
  })

  it('has dark membranes, about a tenth of the volume, around lighter neurites', () => {
    const inMembrane = indices.filter((i) => volume.neuronIds[i] === 0)
    const inside = indices.filter((i) => volume.neuronIds[i] !== 0)
    const share = inMembrane.length / indices.length
    assert.ok(share > 0.07 && share < 0.2, `${share} of the voxels are membrane`)
    const [dark, light] = [mean(inMembrane.map((i) => volume.raw[i]!)), mean(inside.map((i) => volume.raw[i]!))]
    assert.ok(dark < light - 30, `membrane ${dark}, inside ${light}`)
  })

  it('has neurites that continue from section to section', () => {
    const area = SIDE * SIDE
    let [same, both] = [0, 0]
    for (let i = area; i < volume.neuronIds.length; i++) {
      const [here, above] = [volume.neuronIds[i], volume.neuronIds[i - area]]
      if (here === 0 || above === 0) continue
      both++
      if (here === above) same++
    }
    assert.ok(same / both > 0.9, `${same / both} of the voxels belong to the same neurite as one section before`)
    const first = new Set(volume.neuronIds.subarray(0, area))
    const last = new Set(volume.neuronIds.subarray(-area))
    const through = [...first].filter((id) => last.has(id))
    assert.ok(
      through.length > 0.5 * first.size && through.length < first.size,
      'either few neurites pass through, or none end',
    )
  })

  it('never lets two neurites touch without membrane between them', () => {
    let touching = 0
    for (let i = 1; i < SIDE * SIDE; i++) {
      const [a, b] = [volume.neuronIds[i]!, volume.neuronIds[i - 1]!]
      if (a !== b && a !== 0 && b !== 0 && i % SIDE !== 0) touching++
    }
    assert.equal(touching, 0)
  })

  it('has each synapse dark between the two neurites that it names, with clefts that no neurite owns', () => {
    const synapses = tissue.synapsesIn([DEPTH, SIDE, SIDE])
    assert.ok(synapses.length >= 2, `${synapses.length} synapses`)
    const at = ([z, y, x]: readonly [number, number, number]) => (z * SIDE + Math.floor(y)) * SIDE + Math.floor(x)
    for (const synapse of synapses) {
      assert.equal(volume.neuronIds[at(synapse.pre)], synapse.preId)
      assert.equal(volume.neuronIds[at(synapse.post)], synapse.postId)
      const cleft = indices.filter((i) => volume.clefts[i] === synapse.id)
      assert.ok(cleft.length > 100, `${cleft.length} voxels`)
      assert.ok(cleft.every((i) => volume.neuronIds[i] === 0))
      assert.ok(mean(cleft.map((i) => volume.raw[i]!)) < 90)
    }
    const ids = new Set(synapses.map(({ id }) => id))
    assert.equal(ids.size, synapses.length)
  })
})
