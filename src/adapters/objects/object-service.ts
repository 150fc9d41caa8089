import type { ListedKeys } from '../../ports/object-bucket.ts'
import type { ObjectAnswer } from './answer.ts'
import type { CredentialChain, Expiring } from './credentials/credential-chain.ts'
import type { ObjectRequest } from './object-request.ts'
import type { SaidError } from './said-error.ts'

/** Where a request goes, with its signature. */
export interface SignedRequest {
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
}

/** How the requests of a service are addressed, signed and answered. */
export interface ObjectProtocol<Held extends Expiring = Expiring> {
  /** For messages: what the service calls a bucket. */
  readonly noun: 'bucket' | 'container'
  readonly bucket: string
  readonly host: string
  /** undefined: requests are not signed, because the user said so. */
  readonly credentials: CredentialChain<Held> | undefined
  /** What to check in an address that leads nowhere: `AWS_ENDPOINT_URL and AWS_REGION`. */
  readonly addressSettings: string
  /** What gives credentials: without a full stop. */
  readonly credentialSettings: string
  /** A key as users write it. */
  where(key: string): string
  /** @throws ConfigError `INVALID_CONFIG` */
  sign(request: ObjectRequest, credentials: Held | undefined): SignedRequest
  /** @param text the body of an error */
  errorIn(status: number, headers: Headers, text: string): SaidError
  /** Takes over what an answer says of how requests have to be signed. @returns whether it said anything */
  mend?(answer: ObjectAnswer): boolean
}

/** The parts of a request in which services differ. */
export type OwnParts = Pick<ObjectRequest, 'path' | 'query' | 'headers'>

/** A page of a list, and where the next one starts; undefined at the end. */
export interface ListPage extends ListedKeys {
  readonly next: string | undefined
}

export interface LargeObject {
  readonly pieces: readonly Uint8Array[]
  readonly bytes: number
  readonly partBytes: number
  readonly before?: (() => Promise<void>) | undefined
}

/** Sends requests for a bucket, again after errors that pass. */
export interface ObjectRequests {
  readonly protocol: ObjectProtocol
  /**
   * @returns an answer with a status of 2xx or one of the expected
   * @throws ConfigError `NO_SUCH_FILE` for a bucket that does not exist; InfrastructureError `UNAUTHORIZED`, `IO_ERROR`; what `before` throws
   */
  send(request: ObjectRequest): Promise<ObjectAnswer>
}

/** Which requests a service has. */
export interface ObjectCalls {
  /** Whether a range may be counted from the end of an object. */
  readonly hasEnds: boolean
  get(key: string, options: { readonly of?: string | undefined; readonly unless?: string | undefined }): OwnParts
  put(
    key: string,
    body: Uint8Array,
    only: 'new' | { readonly of: string } | undefined,
  ): OwnParts & Pick<ObjectRequest, 'method' | 'wrong'>
  remove(key: string): OwnParts
  list(prefix: string, isDeep: boolean, next: string | undefined): OwnParts
  /** @returns undefined for an answer that is no complete page */
  pageOf(text: string): ListPage | undefined
  versionIn(answer: ObjectAnswer): { readonly version?: string }
  /** When an object was written, if the header `last-modified` does not say. */
  writtenMs?(answer: ObjectAnswer): number
  /** Writes a large object in parts, which become visible together. If that fails, the parts are removed. */
  putLarge(requests: ObjectRequests, key: string, object: LargeObject): Promise<{ readonly version?: string }>
  /** Absent where objects are removed one by one. */
  removeSome?(requests: ObjectRequests, keys: readonly string[]): Promise<void>
}

/** A service with one bucket of it. */
export interface ObjectService {
  readonly protocol: ObjectProtocol
  readonly calls: ObjectCalls
}
