/** One step from bytes to bytes; its results are never views of what it was given, except for `raw` slices of `decode`. */
export interface BytesCodec {
  /** For people: `zstd:3`. */
  readonly label: string
  encode(data: Uint8Array): Uint8Array
  /**
   * @param size bytes that must come out, where the caller knows
   * @param into where they may be put, `size` bytes; a codec that can't returns an array of its own
   * @throws CodecError for anything but a whole, right stream of that size
   */
  decode(data: Uint8Array, size?: number, into?: Uint8Array): Uint8Array
}

/** Bytes that a codec can't decode; whoever knows the file turns it into CORRUPT_DATA. */
export class CodecError extends Error {}

export function checkSize(decoded: number, size: number | undefined): void {
  if (size !== undefined && decoded !== size) {
    throw new CodecError(`it holds ${decoded} bytes where ${size} are right`)
  }
}
