import { permutes } from './compiled/codecs-module.ts'
import { plainShuffleBits, plainShuffleBytes, plainUnshuffleBits, plainUnshuffleBytes } from './plain-shuffle.ts'

// Blosc's two filters. Both permute complete elements and leave the bytes of a last, partial element in place.

/** The first bytes of all elements, then all second bytes, and so on. */
export function shuffleBytes(source: Uint8Array, target: Uint8Array, size: number): void {
  if (!permutes('shuffleBytes', source, target, size)) plainShuffleBytes(source, target, size)
}

export function unshuffleBytes(source: Uint8Array, target: Uint8Array, size: number): void {
  if (!permutes('unshuffleBytes', source, target, size)) plainUnshuffleBytes(source, target, size)
}

/**
 * The first bits of all elements, then all second bits, and so on; eight elements per byte, the first in the lowest bit. A block
 * whose number of elements is no multiple of eight is only copied.
 */
export function shuffleBits(source: Uint8Array, target: Uint8Array, size: number): void {
  if (!permutes('shuffleBits', source, target, size)) plainShuffleBits(source, target, size)
}

export function unshuffleBits(source: Uint8Array, target: Uint8Array, size: number): void {
  if (!permutes('unshuffleBits', source, target, size)) plainUnshuffleBits(source, target, size)
}
