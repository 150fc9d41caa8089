import type { TypedArray } from '../voxels.ts'

/** One byte per voxel: 0 for the background, which is 0, and -0 of floats. */
export function foregroundOf(data: TypedArray): Uint8Array {
  if (data.BYTES_PER_ELEMENT === 1) return new Uint8Array(data.buffer, data.byteOffset, data.length)
  const mask = new Uint8Array(data.length)
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    const halves = new Uint32Array(data.buffer, data.byteOffset, 2 * data.length)
    for (let i = 0; i < mask.length; i++) mask[i] = (halves[2 * i]! | halves[2 * i + 1]!) === 0 ? 0 : 1
  } else {
    for (let i = 0; i < mask.length; i++) mask[i] = data[i] === 0 ? 0 : 1
  }
  return mask
}
