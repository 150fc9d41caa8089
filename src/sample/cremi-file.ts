import { setImmediate } from 'node:timers/promises'
import { FLOAT64, type Hdf5Volume, type Hdf5Writer, UINT8, UINT64 } from '../adapters/hdf5/writing/hdf5-writer.ts'
import type { Tissue, TissueSection } from './tissue.ts'

/** nm per voxel, z y x: the resolution of CREMI's samples. */
export const RESOLUTION = [40, 4, 4]

/** Chunk shape, z y x; sections are drawn and written in slabs of one layer of chunks. */
const CHUNK = [8, 128, 128]

/** CREMI's value for voxels outside clefts. */
const NO_CLEFT = 2n ** 64n - 1n

/** A sample in the layout of CREMI's sample A. */
export class CremiFile {
  readonly #writer: Hdf5Writer
  readonly #raw: Hdf5Volume
  readonly #neurons: Hdf5Volume
  readonly #clefts: Hdf5Volume

  /** @param size voxels, z y x */
  constructor(writer: Hdf5Writer, size: readonly number[]) {
    this.#writer = writer
    const chunk = size.map((length, axis) => Math.min(length, CHUNK[axis]!))
    this.#raw = { path: '/volumes/raw', element: UINT8, size, chunk, level: 4 }
    this.#neurons = { path: '/volumes/labels/neuron_ids', element: UINT64, size, chunk, level: 4 }
    this.#clefts = { path: '/volumes/labels/clefts', element: UINT64, size, chunk, level: 4 }
  }

  /** Creates the groups, the empty volumes and their attributes. */
  writeLayout(): void {
    const writer = this.#writer
    for (const group of ['/volumes', '/volumes/labels', '/annotations']) writer.createGroup(group)
    for (const group of ['presynaptic_site', 'comments']) writer.createGroup(`/annotations/${group}`)
    writer.writeAttribute('/', 'file_format', '0.2')
    writer.createVolume(this.#raw)
    writer.writeAttribute(this.#raw.path, 'resolution', RESOLUTION)
    for (const labels of [this.#neurons, this.#clefts]) {
      writer.createVolume(labels)
      writer.writeAttribute(labels.path, 'resolution', RESOLUTION)
      writer.writeAttribute(labels.path, 'offset', [0, 0, 0])
    }
    writer.writeAttribute('/annotations', 'offset', [0, 0, 0])
  }

  /** Draws and writes, slab by slab. @returns sections done so far */
  async *writeVolumes(tissue: Tissue): AsyncGenerator<number> {
    const [depth, height, width] = this.#raw.size as [number, number, number]
    const slab = this.#raw.chunk[0]!
    const drawn = newSection(slab * height * width)
    for (let z = 0; z < depth; z += slab) {
      const sections = Math.min(slab, depth - z)
      for (let k = 0; k < sections; k++) tissue.drawSection(z + k, height, width, sectionOf(drawn, k, height * width))
      this.#writeSlab(drawn, z, sections)
      await setImmediate()
      yield z + sections
    }
  }

  #writeSlab({ raw, neuronIds, clefts }: TissueSection, z: number, sections: number): void {
    this.#writer.writeSlab(this.#raw, z, sections, (from, to, target) => target.set(raw.subarray(from, to)))
    this.#writer.writeSlab(this.#neurons, z, sections, (from, to, { buffer, byteOffset }) => {
      const words = new Uint32Array(buffer, byteOffset, 2 * (to - from)).fill(0)
      for (let i = from; i < to; i++) words[2 * (i - from)] = neuronIds[i]!
    })
    this.#writer.writeSlab(this.#clefts, z, sections, (from, to, { buffer, byteOffset }) => {
      const values = new BigUint64Array(buffer, byteOffset, to - from).fill(NO_CLEFT)
      for (let i = from; i < to; i++) if (clefts[i] !== 0) values[i - from] = BigInt(clefts[i]!)
    })
  }

  /** Two points per synapse, in nm: the presynaptic site, then the postsynaptic one. */
  writeAnnotations(synapses: ReturnType<Tissue['synapsesIn']>): void {
    const writer = this.#writer
    const points = synapses.flatMap(({ pre, post }) => [pre, post])
    const ids = points.map((_, i) => BigInt(i + 1))
    const partners = ids.filter((_, i) => i % 2 === 0).flatMap((id) => [id, id + 1n])
    const locations = points.flatMap((point) => point.map((value, axis) => value * RESOLUTION[axis]!))
    const types = points.map((_, i) => (i % 2 === 0 ? 'presynaptic_site' : 'postsynaptic_site'))
    writer.writeList('/annotations/ids', UINT64, [points.length], BigUint64Array.from(ids))
    writer.writeList('/annotations/locations', FLOAT64, [points.length, 3], Float64Array.from(locations))
    writer.writeTexts('/annotations/types', types)
    const pairs = [synapses.length, 2]
    writer.writeList('/annotations/presynaptic_site/partners', UINT64, pairs, BigUint64Array.from(partners))
    writer.writeList('/annotations/comments/target_ids', UINT64, [0], new BigUint64Array(0))
    writer.writeTexts('/annotations/comments/comments', [])
  }
}

const newSection = (voxels: number): TissueSection => ({
  raw: new Uint8Array(voxels),
  neuronIds: new Uint32Array(voxels),
  clefts: new Uint32Array(voxels),
})

/** Section `k` of a slab, as views. */
function sectionOf({ raw, neuronIds, clefts }: TissueSection, k: number, area: number): TissueSection {
  const [from, to] = [k * area, (k + 1) * area]
  return { raw: raw.subarray(from, to), neuronIds: neuronIds.subarray(from, to), clefts: clefts.subarray(from, to) }
}
