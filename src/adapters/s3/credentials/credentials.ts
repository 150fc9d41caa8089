import type { Expiring } from '../../objects/credentials/credential-chain.ts'

/** What signs requests. */
export interface Credentials extends Expiring {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Of credentials for a limited time. */
  readonly sessionToken?: string
}
