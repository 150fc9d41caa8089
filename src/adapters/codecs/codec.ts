/** How many bytes a stream must decode to, or the most that it may. */
export type DecodedSize = number | { readonly atMost: number }

/** One step from bytes to bytes; results are never views of the input, except for `raw` slices of `decode`. */
export interface BytesCodec {
  /** The name that users see, such as `zstd:3`. */
  readonly label: string
  /** @param room memory that may be used for the result if it suffices */
  encode(data: Uint8Array, room?: Uint8Array): Uint8Array
  /** How much memory suffices to encode so many bytes; absent for a codec that takes its own. */
  room?(bytes: number): number
  /** Most bytes that it makes of so many, and that are decoded for the step before it. @default twice as many, and 64 KiB */
  most?(bytes: number): number
  /**
   * @param size number of decoded bytes
   * @param into target for the decoded bytes, `size` long, or {@link SPARE_BYTES} longer, which is faster; a codec that can't write there
   * returns a new array
   * @throws CodecError for anything but a complete, valid stream of that size
   */
  decode(data: Uint8Array, size: DecodedSize, into?: Uint8Array): Uint8Array
}

/** A decoder with so much more memory than it should need sees whether its stream is too long. */
export const SPARE_BYTES = 64

/** Bytes that a codec can't decode; the caller, who knows the file, turns it into `CORRUPT_DATA`. */
export class CodecError extends Error {}

/** Bytes that may be whole, and for which Bellis has no decoder. The message says what they have. */
export class UnreadError extends CodecError {}

/** @throws CodecError */
export function checkSize(decoded: number, size: DecodedSize): void {
  if (typeof size === 'number' ? decoded === size : decoded <= size.atMost) return
  throw new CodecError(`it decoded to ${decoded} bytes, expected ${showSize(size)}`)
}

/** The most bytes that may be decoded. */
export const mostOf = (size: DecodedSize): number => (typeof size === 'number' ? size : size.atMost)

export const showSize = (size: DecodedSize): string => (typeof size === 'number' ? `${size}` : `at most ${size.atMost}`)
