import { join } from 'node:path'
import { createArray } from '../../../src/entry/arrays.ts'
import { hash32 } from '../../support/seeded-voxels.ts'
import { zipFolder } from '../../support/zip-files.ts'

/** The datasets that all rounds read. No fault touches them. */
export interface Inputs {
  /** The folder of all of them; over http, its address. */
  readonly place: string
  /** uint8, 32 × 96 × 96. */
  readonly raw: string
  /** uint8, 0 and 1, 32 × 96 × 96, with components that cross many blocks. */
  readonly mask: string
  /** uint8, 1 in a part of the volume, in coarser voxels. */
  readonly part: string
  /** uint8, larger than the others, for tasks with large blocks. */
  readonly large: string
  /** The voxels of `raw`, as N5. */
  readonly rawN5: string
  /** The voxels of `raw`, as a precomputed volume. */
  readonly rawPrecomputed: string
  /** `raw` and `mask` in a zip file. */
  readonly zip: string
}

/** The same inputs, elsewhere. */
export const inputsAt = (inputs: Inputs, place: string): Inputs =>
  Object.fromEntries(
    Object.entries(inputs).map(([name, path]: [string, string]) => [name, place + path.slice(inputs.place.length)]),
  ) as unknown as Inputs

const SHAPE = [32, 96, 96] as const
const LARGE = [96, 256, 256] as const

/** Makes the datasets in a folder. */
export async function makeInputs(folder: string): Promise<Inputs> {
  const write = async (
    name: string,
    shape: readonly number[],
    value: (z: number, y: number, x: number) => number,
    placed: { readonly voxelSize: readonly number[] } = { voxelSize: [40, 4, 4] },
  ) => {
    const options = { shape, dtype: 'uint8', chunkShape: shape.map(() => 32), ...placed } as const
    const path = join(folder, name)
    await using array = await createArray(path, options)
    const voxels = new Uint8Array(shape.reduce((product, length) => product * length, 1))
    let at = 0
    for (let z = 0; z < shape[0]!; z++)
      for (let y = 0; y < shape[1]!; y++) for (let x = 0; x < shape[2]!; x++) voxels[at++] = value(z, y, x)
    await array.write(array.roi, voxels)
    return path
  }
  const cell = (z: number, y: number, x: number, side: number, seed: number) =>
    hash32((Math.floor(z / side) * 1000 + Math.floor(y / side)) * 1000 + Math.floor(x / side), seed)
  const tissue = (z: number, y: number, x: number) =>
    (cell(z, y, x, 9, 1) % 160) + (cell(z, y, x, 1, 2) % 40) + ((z + 2 * y + 3 * x) % 32)
  const isMask = (z: number, y: number, x: number) => Number(cell(z, y, x, 3, 3) % 100 < 34)
  const small = { raw: await write('in.zarr/raw', SHAPE, tissue), mask: await write('in.zarr/mask', SHAPE, isMask) }
  const zip = join(folder, 'small.zarr.zip')
  zipFolder(join(folder, 'in.zarr'), zip)
  const coarse = { voxelSize: [160, 32, 32] } as const
  return {
    ...small,
    place: folder,
    zip,
    part: await write('masks.zarr/part', [8, 12, 12], (z, y, x) => Number(z + y + x > 6 && z + y + x < 16), coarse),
    large: await write('in.zarr/large', LARGE, tissue),
    rawN5: await write('in.n5/raw', SHAPE, tissue),
    rawPrecomputed: await write('in.precomputed/raw', SHAPE, tissue),
  }
}
