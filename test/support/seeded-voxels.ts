import assert from 'node:assert/strict'
import { emptyLike, type TypedArray } from '../../src/kernels/voxels.ts'

/** The finaliser of MurmurHash3 over an index: the same integers as in scipy-fixtures.py. */
export function hash32(index: number, seed: number): number {
  let x = (Math.imul(index, 0x9e3779b1) + seed) >>> 0
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
  return (x ^ (x >>> 16)) >>> 0
}

const MAKERS: Readonly<Record<string, (count: number) => TypedArray>> = {
  int8: (n) => new Int8Array(n),
  uint8: (n) => new Uint8Array(n),
  int16: (n) => new Int16Array(n),
  uint16: (n) => new Uint16Array(n),
  int32: (n) => new Int32Array(n),
  uint32: (n) => new Uint32Array(n),
  int64: (n) => new BigInt64Array(n),
  uint64: (n) => new BigUint64Array(n),
  float32: (n) => new Float32Array(n),
  float64: (n) => new Float64Array(n),
}

export const DTYPES = Object.keys(MAKERS)

export const makeArray = (dtype: string, count: number): TypedArray => MAKERS[dtype]!(count)

/** Noise over the full range of the type (floats: ±128 or more), or long runs of a few values. */
export function seededVoxels(dtype: string, count: number, seed: number, flat = false): TypedArray {
  const data = makeArray(dtype, count)
  for (let i = 0; i < count; i++) {
    const hash = hash32(flat ? Math.floor(i / 97) : i, seed)
    if (dtype === 'float32') data[i] = (hash >>> 8) / 2 ** 16 - 128
    else if (dtype === 'float64') data[i] = (hash * 2 ** 20 + hash32(i, seed + 1)) / 2 ** 40 - 2048
    else if (dtype.endsWith('64')) data[i] = ((BigInt(hash) << 32n) | BigInt(hash32(i, seed + 1))) as never
    else data[i] = hash
  }
  return data
}

/** Compares bit for bit (all NaNs are equal) and names the first difference: a diff of millions of elements would take minutes. */
export function assertSameVoxels(actual: TypedArray, expected: TypedArray, label = ''): void {
  assert.equal(actual[Symbol.toStringTag], expected[Symbol.toStringTag], label)
  assert.equal(actual.length, expected.length, label)
  if (Buffer.compare(bytesOf(actual), bytesOf(expected)) === 0) return
  const first = actual.findIndex((value: number | bigint, i: number) => !Object.is(value, expected[i]))
  assert.fail(`element ${first} is ${actual[first]}, not ${expected[first]} ${label}`)
}

/** The bytes of the elements of an array, with all NaNs made the same: the bits of a NaN depend on the processor. */
export function bytesOf(data: TypedArray): Uint8Array {
  let plain = data
  if (data instanceof Float32Array || data instanceof Float64Array) {
    plain = emptyLike(data, data.length)
    for (let i = 0; i < data.length; i++) plain[i] = Number.isNaN(data[i]) ? Number.NaN : data[i]!
  }
  return new Uint8Array(plain.buffer, plain.byteOffset, plain.byteLength)
}
