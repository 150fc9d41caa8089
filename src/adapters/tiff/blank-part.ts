import { BYTES_PER_ELEMENT, bytesOf, type DType, isBigDType, isFloatDType, typedArray } from '../../core/array/dtype.ts'

/**
 * Bytes of pixels that a file leaves out, since all of them are alike: 0, or what GDAL's field for missing values says.
 * @param noData text such as `-9999` or `nan`; '' for 0
 */
export function blankPixels(byteLength: number, dtype: DType, noData: string): Uint8Array {
  const pixels = typedArray(dtype, byteLength / BYTES_PER_ELEMENT[dtype])
  const text = noData.trim()
  const value = /^[+-]?nan$/i.test(text) ? Number.NaN : Number(text)
  if (isBigDType(dtype)) {
    if (/^-?\d{1,20}$/.test(text)) (pixels as BigInt64Array).fill(BigInt(text))
  } else if (isFloatDType(dtype)) {
    ;(pixels as Float64Array).fill(value)
  } else {
    ;(pixels as Uint8Array).fill(value)
    // A value that pixels can't have means nothing.
    if (pixels[0] !== value) pixels.fill(0 as never)
  }
  return bytesOf(pixels)
}
