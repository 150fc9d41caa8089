/** One step from bytes to bytes; results are never views of the input, except for `raw` slices of `decode`. */
export interface BytesCodec {
  /** The name that users see, such as `zstd:3`. */
  readonly label: string
  encode(data: Uint8Array): Uint8Array
  /**
   * @param size expected number of decoded bytes, if the caller knows it
   * @param into target for the decoded bytes, `size` long; a codec that can't write there returns a new array
   * @throws CodecError for anything but a complete, valid stream of that size
   */
  decode(data: Uint8Array, size?: number, into?: Uint8Array): Uint8Array
}

/** Bytes that a codec can't decode; the caller, who knows the file, turns it into `CORRUPT_DATA`. */
export class CodecError extends Error {}

export function checkSize(decoded: number, size: number | undefined): void {
  if (size !== undefined && decoded !== size) {
    throw new CodecError(`it decoded to ${decoded} bytes, expected ${size}`)
  }
}
