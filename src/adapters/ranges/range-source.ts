import type { ByteRange } from '../../ports/byte-file.ts'
import type { ObjectVersion } from '../http/http-request.ts'

/** Bytes of an object, and what it is. */
export interface FoundRange {
  readonly body: Uint8Array
  /** Whether `body` is all of the object, although a part was requested. */
  readonly isWhole: boolean
  /** Bytes of the whole object; undefined if the server does not say. */
  readonly total: number | undefined
  /** Absent if the server does not say. */
  readonly version?: ObjectVersion
}

/** One object behind an address. */
export interface RangeSource {
  /** As users write it, without a query. */
  readonly where: string
  /**
   * Requests a range, again after errors that may pass.
   * @param of the version that is wanted @default any
   * @throws InfrastructureError `IO_ERROR`, `UNAUTHORIZED`
   */
  get(range: ByteRange, of?: ObjectVersion): Promise<FoundRange | 'missing' | 'changed'>
}
