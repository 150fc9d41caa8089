/** Words after which the sums are folded, before they exceed 32 bits. */
const WORDS = 360

/** HDF5's Fletcher checksum: sums of big-endian words of 16 bits, modulo 65535. */
export function fletcher32(bytes: Uint8Array): number {
  let [low, high] = [0, 0]
  const words = bytes.length >> 1
  for (let word = 0; word < words; ) {
    for (const end = Math.min(words, word + WORDS); word < end; word++) {
      low += ((bytes[2 * word] as number) << 8) | (bytes[2 * word + 1] as number)
      high += low
    }
    low = (low & 0xffff) + (low >>> 16)
    high = (high & 0xffff) + Math.floor(high / 65536)
  }
  if (bytes.length % 2 === 1) {
    low += (bytes.at(-1) as number) << 8
    high += low
    low = (low & 0xffff) + (low >>> 16)
    high = (high & 0xffff) + (high >>> 16)
  }
  low = (low & 0xffff) + (low >>> 16)
  high = (high & 0xffff) + (high >>> 16)
  return ((high << 16) | low) >>> 0
}
