import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { bytesOf, type DType, type Scalar, type TypedArray, typedArray } from '../../src/core/array/dtype.ts'
import type { Roi } from '../../src/core/geometry/roi.ts'

/** A new folder that is removed after the test. */
export async function temporaryFolder(t: Pick<TestContext, 'after'>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'bellis-zarr-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** Voxels whose bytes all differ from those of their neighbours; the same for the same seed. */
export function noise(dtype: DType, length: number, seed: number): TypedArray {
  const data = typedArray(dtype, length)
  const bytes = bytesOf(data)
  let state = (seed | 0) ^ 0x5eed
  for (let i = 0; i < bytes.length; i++) {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9
    // With runs of equal bytes, so that compressors find matches.
    bytes[i] = i % 64 < 24 ? 7 : state >>> 24
  }
  if (dtype === 'bool') for (let i = 0; i < bytes.length; i++) bytes[i] = (bytes[i] as number) & 1
  return data
}

export const countOf = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1)

/** The plain array that a stored one must equal. Bytes are compared, so that NaNs are compared, too. */
export class Model {
  readonly shape: readonly number[]
  readonly data: TypedArray
  readonly #dtype: DType
  readonly #fill: Scalar

  constructor(shape: readonly number[], dtype: DType, fill: Scalar) {
    this.shape = shape
    this.#dtype = dtype
    this.#fill = fill
    this.data = this.#filled(countOf(shape))
  }

  #filled(length: number): TypedArray {
    const data = typedArray(this.#dtype, length)
    return (data as { fill(value: Scalar): TypedArray }).fill(this.#fill)
  }

  write(box: Roi<'voxel'>, data: TypedArray): void {
    this.#visit(box, (inArray, inBox) => {
      if (inArray !== undefined) copyElement(data, inBox, this.data, inArray)
    })
  }

  read(box: Roi<'voxel'>): TypedArray {
    const result = this.#filled(countOf(box.shape))
    this.#visit(box, (inArray, inBox) => {
      if (inArray !== undefined) copyElement(this.data, inArray, result, inBox)
    })
    return result
  }

  #visit(box: Roi<'voxel'>, visit: (inArray: number | undefined, inBox: number) => void): void {
    const count = countOf(box.shape)
    for (let inBox = 0; inBox < count; inBox++) {
      let rest = inBox
      let inArray: number | undefined = 0
      let step = 1
      for (let axis = box.shape.length - 1; axis >= 0; axis--) {
        const length = box.shape[axis] as number
        const position = (box.offset[axis] as number) + (rest % length)
        rest = Math.floor(rest / length)
        const inside = position >= 0 && position < (this.shape[axis] as number)
        inArray = inArray === undefined || !inside ? undefined : inArray + position * step
        step *= this.shape[axis] as number
      }
      visit(inArray, inBox)
    }
  }
}

/** As bytes: a conversion to a number would turn one NaN into another. */
function copyElement(from: TypedArray, source: number, to: TypedArray, target: number): void {
  const size = from.BYTES_PER_ELEMENT
  bytesOf(to).set(bytesOf(from).subarray(source * size, (source + 1) * size), target * size)
}
