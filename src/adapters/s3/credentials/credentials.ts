/** The variables of a process. */
export type Environment = Readonly<Record<string, string | undefined>>

/** What signs requests. */
export interface Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Of credentials for a limited time. */
  readonly sessionToken?: string
  /** When they expire, ms since 1970; absent if that is not known. */
  readonly expires?: number
}

/** Where credentials come from. */
export interface CredentialSource {
  /** For messages: `the environment (AWS_ACCESS_KEY_ID)`. */
  readonly name: string
  /** What to do when they are refused: without a full stop. */
  readonly remedy: string
  /** @returns undefined if there are none */
  load(): Promise<Credentials | undefined>
}

/** Credentials that are replaced this long before they expire. */
const RENEW_BEFORE_MS = 5 * 60_000

/** The first source that has credentials, which are kept until they are about to expire. */
export class CredentialChain {
  readonly #sources: readonly CredentialSource[]
  readonly #now: () => number
  #source: CredentialSource | undefined
  #known: Credentials | undefined
  #isLoaded = false
  #loading: Promise<void> | undefined

  constructor(sources: readonly CredentialSource[], now: () => number = Date.now) {
    this.#sources = sources
    this.#now = now
  }

  /** The one that is used; undefined if none has any. */
  get source(): CredentialSource | undefined {
    return this.#source
  }

  /** @returns undefined if no source has any: then requests are not signed */
  async get(): Promise<Credentials | undefined> {
    const { expires = Number.POSITIVE_INFINITY } = this.#known ?? {}
    if (!this.#isLoaded || expires - this.#now() < RENEW_BEFORE_MS) await this.#load()
    return this.#known
  }

  /** Loads them again, unless that was done since. @param refused those that the service did not accept @returns whether there are others now */
  async renew(refused: Credentials | undefined): Promise<boolean> {
    if (this.#known === refused) await this.#load()
    return this.#known !== undefined && idOf(this.#known) !== idOf(refused)
  }

  #load(): Promise<void> {
    this.#loading ??= this.#loadFirst().finally(() => {
      this.#loading = undefined
    })
    return this.#loading
  }

  async #loadFirst(): Promise<void> {
    for (const source of this.#source === undefined ? this.#sources : [this.#source]) {
      const found = await source.load()
      if (found === undefined) continue
      this.#source = source
      this.#known = found
      break
    }
    this.#isLoaded = true
  }
}

const idOf = (credentials: Credentials | undefined): string | undefined =>
  credentials && [credentials.accessKeyId, credentials.secretAccessKey, credentials.sessionToken].join(' ')
