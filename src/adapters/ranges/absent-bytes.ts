/** Thrown by a read of bytes that have to be fetched first: {@link withBytes} fetches them, and reads again. */
export class AbsentBytes extends Error {
  readonly fetch: (signal: AbortSignal | undefined) => Promise<Disposable>

  constructor(fetch: (signal: AbortSignal | undefined) => Promise<Disposable>) {
    super('These bytes have not been fetched yet.')
    this.name = 'AbsentBytes'
    this.fetch = fetch
  }
}

/**
 * Runs work that reads files and doesn't wait, again from its start each time it lacked bytes, which are fetched meanwhile. All of them
 * stay at hand until it has ended, so it ends. For files on disks, this runs the work once.
 * @throws what the work or fetching throws
 */
export async function withBytes<T>(work: () => T, signal?: AbortSignal): Promise<T> {
  const held: Disposable[] = []
  try {
    for (;;) {
      const lacking = attempt(work)
      if ('result' in lacking) return lacking.result
      held.push(await lacking.absent.fetch(signal))
    }
  } finally {
    for (const each of held) each[Symbol.dispose]()
  }
}

function attempt<T>(work: () => T): { readonly result: T } | { readonly absent: AbsentBytes } {
  try {
    return { result: work() }
  } catch (error) {
    if (error instanceof AbsentBytes) return { absent: error }
    throw error
  }
}
