import { sumCrc64 } from '../compiled/lzma-module.ts'

const POLYNOMIAL = 0xc96c5795d7870f42n

/** The halves of the remainders of all bytes. */
const [LOW, HIGH] = remainders()

function remainders(): readonly [Uint32Array, Uint32Array] {
  const [low, high] = [new Uint32Array(256), new Uint32Array(256)]
  for (let byte = 0; byte < 256; byte++) {
    let value = BigInt(byte)
    for (let bit = 0; bit < 8; bit++) value = (value >> 1n) ^ ((value & 1n) === 1n ? POLYNOMIAL : 0n)
    low[byte] = Number(value & 0xffffffffn)
    high[byte] = Number(value >> 32n)
  }
  return [low, high]
}

/** The CRC-64 of ECMA-182, reflected, as xz has it. */
export const crc64 = (data: Uint8Array): bigint => sumCrc64(data) ?? plainCrc64(data)

/** The same in TypeScript. */
export function plainCrc64(data: Uint8Array): bigint {
  let [low, high] = [0xffffffff, 0xffffffff]
  for (let i = 0; i < data.length; i++) {
    const at = (low ^ (data[i] as number)) & 0xff
    low = ((low >>> 8) | (high << 24)) ^ (LOW[at] as number)
    high = (high >>> 8) ^ (HIGH[at] as number)
  }
  return (BigInt(~high >>> 0) << 32n) | BigInt(~low >>> 0)
}
