/** Some bytes of a file. */
export interface ByteRange {
  readonly start: number
  readonly length: number
}

/** One version of a file, read by ranges, wherever the file lies. */
export interface ByteFile extends Disposable {
  /** As users write it; without the query of an address. */
  readonly path: string
  readonly byteLength: number
  /** Another one for each version of each file that is open. */
  readonly id: string
  /** Whether bytes have to be fetched before they can be read. */
  readonly isRemote: boolean
  /**
   * Fills `into` from byte `position` on.
   * @returns how many bytes it got: fewer at the end of the file
   * @throws AbsentBytes for bytes that have to be fetched first; system errors
   */
  read(into: Uint8Array, position: number): number
  /**
   * Fetches ranges that are not at hand, several at once. Until the result is disposed, reading them succeeds.
   * @throws InfrastructureError `IO_ERROR` if the file is no longer the one that was opened, or can't be read; `UNAUTHORIZED`
   */
  load(ranges: readonly ByteRange[], signal?: AbortSignal): Promise<Disposable>
}
