import { drawCells } from './draw-cells.ts'
import { drawVesicles } from './draw-vesicles.ts'
import { exposeSection } from './expose-section.ts'
import { MARGIN, newCanvas } from './section-canvas.ts'
import { SYNAPSE_REACH, SYNAPSE_STEP, type Synapse, synapseOf } from './tissue-cells.ts'

/** The voxels of one section of the tissue: `height` × `width` values each, row by row. */
export interface TissueSection {
  /** Grey levels, as from an electron microscope. */
  readonly raw: Uint8Array
  /** The neurite of each voxel; 0 for membrane. */
  readonly neuronIds: Uint32Array
  /** The synapse of each voxel of a cleft; 0 elsewhere. */
  readonly clefts: Uint32Array
}

/** Synthetic neural tissue, voxels of 40 × 4 × 4 nm. */
export interface Tissue {
  /**
   * Draws section `z`, from the corner (0, 0), into arrays of `height` × `width`.
   * A voxel depends only on the seed and its position, not on the size or on earlier sections.
   */
  drawSection(z: number, height: number, width: number, into: TissueSection): void
  /** Synapses whose centre lies in a volume that starts at (0, 0, 0). */
  synapsesIn(size: readonly [z: number, y: number, x: number]): Synapse[]
}

/**
 * Tissue that looks like neuropil in serial sections: neurites that wander through the sections and change in size,
 * with membranes, mitochondria, vesicles and synaptic clefts; each section with its own brightness and noise.
 * The same on every machine for the same seed.
 * @param seed any integer
 */
export function createTissue(seed: number): Tissue {
  const key = seed | 0
  const layers = new Map<number, Map<string, Synapse | undefined>>()

  const synapseIn = (layer: number, row: number, column: number): Synapse | undefined => {
    const known = layers.get(layer) ?? new Map<string, Synapse | undefined>()
    layers.set(layer, known)
    const place = `${row},${column}`
    if (!known.has(place)) known.set(place, synapseOf(key, layer, row, column))
    return known.get(place)
  }

  /** Synapses that section `z` may cut, with their centres in it at −MARGIN … size + MARGIN. */
  const synapsesNear = (z: number, height: number, width: number): Synapse[] => {
    const first = Math.floor((z - SYNAPSE_REACH) / SYNAPSE_STEP[0])
    for (const layer of layers.keys()) if (layer < first) layers.delete(layer)
    const found: Synapse[] = []
    for (let layer = first; layer * SYNAPSE_STEP[0] <= z + SYNAPSE_REACH; layer++) {
      for (let row = -1; row * SYNAPSE_STEP[1] < height + MARGIN; row++) {
        for (let column = -1; column * SYNAPSE_STEP[2] < width + MARGIN; column++) {
          const synapse = synapseIn(layer, row, column)
          if (synapse !== undefined && Math.abs(synapse.z - z) <= SYNAPSE_REACH) found.push(synapse)
        }
      }
    }
    return found
  }

  return {
    drawSection(z, height, width, into) {
      const canvas = newCanvas(height, width)
      const synapses = synapsesNear(z, height, width)
      drawCells(canvas, key, z, synapses)
      drawVesicles(canvas, key, z, synapses)
      exposeSection(canvas, key, z, height, width, into.raw)
      for (let y = 0; y < height; y++) {
        const from = (y + MARGIN) * canvas.width + MARGIN
        into.neuronIds.set(canvas.ids.subarray(from, from + width), y * width)
        into.clefts.set(canvas.clefts.subarray(from, from + width), y * width)
      }
    },
    synapsesIn([depth, height, width]) {
      const found: Synapse[] = []
      for (let layer = 0; layer * SYNAPSE_STEP[0] < depth; layer++) {
        for (let row = -1; row * SYNAPSE_STEP[1] < height + SYNAPSE_STEP[1]; row++) {
          for (let column = -1; column * SYNAPSE_STEP[2] < width + SYNAPSE_STEP[2]; column++) {
            const synapse = synapseOf(key, layer, row, column)
            const inside = (point: readonly [number, number, number]) =>
              [depth, height, width].every((size, axis) => point[axis]! >= 0 && point[axis]! < size)
            if (synapse !== undefined && [synapse.pre, synapse.post].every(inside)) found.push(synapse)
          }
        }
      }
      return found
    },
  }
}
