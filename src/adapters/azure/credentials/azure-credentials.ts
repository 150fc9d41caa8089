import type { BearerToken } from '../../objects/credentials/bearer-token.ts'
import type { Expiring } from '../../objects/credentials/credential-chain.ts'

/** The key of an account, which signs requests. */
export interface AccountKey extends Expiring {
  /** In base64. */
  readonly key: string
}

/** A signature that others have made, for some objects and a time: the query of an address. */
export interface SharedSignature extends Expiring {
  /** Without the question mark. */
  readonly signature: string
}

export type AzureCredentials = AccountKey | SharedSignature | BearerToken
