/** The variables of a process. */
export type Environment = Readonly<Record<string, string | undefined>>

/** What may expire. */
export interface Expiring {
  /** When it expires, ms since 1970; absent if that is not known. */
  readonly expires?: number
}

/** Where credentials come from. */
export interface CredentialSource<Held extends Expiring = Expiring> {
  /** For messages: `the environment (AWS_ACCESS_KEY_ID)`. */
  readonly name: string
  /** What to do when they are refused: without a full stop. */
  readonly remedy: string
  /** @returns undefined if there are none */
  load(): Promise<Held | undefined>
}

/** Credentials that are replaced this long before they expire. */
const RENEW_BEFORE_MS = 5 * 60_000

/** The first source that has credentials, which are kept until they are about to expire. */
export class CredentialChain<Held extends Expiring = Expiring> {
  readonly #sources: readonly CredentialSource<Held>[]
  readonly #now: () => number
  #source: CredentialSource<Held> | undefined
  #known: Held | undefined
  #isLoaded = false
  #loading: Promise<void> | undefined

  constructor(sources: readonly CredentialSource<Held>[], now: () => number = Date.now) {
    this.#sources = sources
    this.#now = now
  }

  /** The one that is used; undefined if none has any. */
  get source(): CredentialSource<Held> | undefined {
    return this.#source
  }

  /** @returns undefined if no source has any: then requests are not signed */
  async get(): Promise<Held | undefined> {
    const { expires = Number.POSITIVE_INFINITY } = this.#known ?? {}
    if (!this.#isLoaded || expires - this.#now() < RENEW_BEFORE_MS) await this.#load()
    return this.#known
  }

  /** Loads them again, unless that was done since. @param refused those that the service did not accept @returns whether there are others now */
  async renew(refused: Held | undefined): Promise<boolean> {
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

/** Two with the same id are the same, whenever they expire. */
function idOf(credentials: Expiring | undefined): string | undefined {
  if (credentials === undefined) return undefined
  const { expires: _, ...own } = credentials
  return JSON.stringify(own)
}
