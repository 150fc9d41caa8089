import { shortDecimal, textOf } from './flat-layout.ts'

/** The fields of either version. */
export interface NiftiHeader {
  readonly dim: readonly number[]
  readonly datatype: number
  readonly pixdim: readonly number[]
  readonly voxOffset: number
  readonly slope: number
  readonly intercept: number
  readonly units: number
  readonly description: string
  readonly qform: number
  readonly sform: number
  /** Quaternion b, c, d and the offsets x, y, z. */
  readonly quaternion: readonly number[]
  /** Three rows of four numbers. */
  readonly matrix: readonly number[]
}

/** @param version of the standard */
export function parseFields(header: Buffer, version: 1 | 2, bigEndian: boolean): NiftiHeader {
  const short = (at: number) => (bigEndian ? header.readInt16BE(at) : header.readInt16LE(at))
  const int = (at: number) => (bigEndian ? header.readInt32BE(at) : header.readInt32LE(at))
  const long = (at: number) => Number(bigEndian ? header.readBigInt64BE(at) : header.readBigInt64LE(at))
  const float = (at: number) => shortDecimal(bigEndian ? header.readFloatBE(at) : header.readFloatLE(at))
  const double = (at: number) => (bigEndian ? header.readDoubleBE(at) : header.readDoubleLE(at))
  if (version === 1) {
    return {
      dim: times(8, (i) => short(40 + 2 * i)),
      datatype: short(70),
      pixdim: times(8, (i) => float(76 + 4 * i)),
      voxOffset: float(108),
      // The stored value itself, as it is a factor and not a length that somebody wrote down.
      slope: bigEndian ? header.readFloatBE(112) : header.readFloatLE(112),
      intercept: bigEndian ? header.readFloatBE(116) : header.readFloatLE(116),
      units: header[123] as number,
      description: textOf(header.subarray(148, 228)),
      qform: short(252),
      sform: short(254),
      quaternion: times(6, (i) => float(256 + 4 * i)),
      matrix: times(12, (i) => float(280 + 4 * i)),
    }
  }
  return {
    dim: times(8, (i) => long(16 + 8 * i)),
    datatype: short(12),
    pixdim: times(8, (i) => double(104 + 8 * i)),
    voxOffset: long(168),
    slope: double(176),
    intercept: double(184),
    units: int(500),
    description: textOf(header.subarray(240, 320)),
    qform: int(344),
    sform: int(348),
    quaternion: times(6, (i) => double(352 + 8 * i)),
    matrix: times(12, (i) => double(400 + 8 * i)),
  }
}

const times = <T>(count: number, item: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => item(i))
