/**
 * Reverses the bytes of each element, in place.
 * @param bytesPerElement 1, 2, 4 or 8
 * @returns `bytes`
 */
export function swapBytes(bytes: Uint8Array, bytesPerElement: number): Uint8Array {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytesPerElement === 2) buffer.swap16()
  else if (bytesPerElement === 4) buffer.swap32()
  else if (bytesPerElement === 8) buffer.swap64()
  return bytes
}
