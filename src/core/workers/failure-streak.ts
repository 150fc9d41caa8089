/** At most this many different errors are told apart; further ones only count as failures. */
const MAX_KINDS = 1000

/** The most frequent error of a streak. */
export interface CommonFailure<Failure> {
  readonly count: number
  /** The first one of its kind. */
  readonly example: Failure
}

/** The attempts of a task that have failed since a block of it was last completed. */
export class FailureStreak<Failure extends { readonly message: string }> {
  #length = 0
  readonly #kinds = new Map<string, { count: number; readonly example: Failure }>()

  get length(): number {
    return this.#length
  }

  add(failure: Failure): void {
    this.#length++
    // Messages often name the block or a file of it: errors that differ only in numbers are of one kind.
    const kind = failure.message.replace(/\d+(\.\d+)?/g, '#')
    const known = this.#kinds.get(kind)
    if (known !== undefined) known.count++
    else if (this.#kinds.size < MAX_KINDS) this.#kinds.set(kind, { count: 1, example: failure })
  }

  /** A block was completed. */
  end(): void {
    if (this.#length === 0) return
    this.#length = 0
    this.#kinds.clear()
  }

  /** @returns undefined if nothing has failed */
  mostCommon(): CommonFailure<Failure> | undefined {
    let most: CommonFailure<Failure> | undefined
    for (const kind of this.#kinds.values()) if (kind.count > (most?.count ?? 0)) most = kind
    return most
  }
}
