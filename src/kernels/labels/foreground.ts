import { areLargeIntegers, type TypedArray } from '../voxels.ts'

/** One byte per voxel, 0 where the voxel is 0 or -0. */
export function foregroundOf(data: TypedArray): Uint8Array {
  if (data.BYTES_PER_ELEMENT === 1) return new Uint8Array(data.buffer, data.byteOffset, data.length)
  const mask = new Uint8Array(data.length)
  if (areLargeIntegers(data)) {
    const halves = new Uint32Array(data.buffer, data.byteOffset, 2 * data.length)
    for (let i = 0; i < mask.length; i++) mask[i] = (halves[2 * i]! | halves[2 * i + 1]!) === 0 ? 0 : 1
  } else {
    for (let i = 0; i < mask.length; i++) mask[i] = data[i] === 0 ? 0 : 1
  }
  return mask
}
