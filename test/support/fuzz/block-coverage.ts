import { type Profiler, Session } from 'node:inspector'

/** Only code of Bellis counts. */
const OURS = /^file:.*\/src\/[^?]*\.ts$/

/**
 * Which blocks of the source have run, as V8 counts them. V8 counts in functions that are compiled after the start, so this has to be
 * started before the code under test is imported.
 */
export class BlockCoverage {
  readonly #session = new Session()
  /** By function: which of its characters are in a block that has run. */
  readonly #seen = new Map<string, Uint8Array>()

  constructor() {
    this.#session.connect()
    this.#post('Profiler.enable')
    this.#post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  }

  /** Whether code ran, since the last look, that had never run before. It stays new until `keep`. */
  hasNew(): boolean {
    return this.#look(false)
  }

  /** The same, and what is new now is known from here on. */
  keep(): boolean {
    return this.#look(true)
  }

  /** Forgets what is known. */
  forget(): void {
    this.#look(false)
    this.#seen.clear()
  }

  #look(keeps: boolean): boolean {
    const { result } = this.#post('Profiler.takePreciseCoverage') as Profiler.TakePreciseCoverageReturnType
    let isNew = false
    for (const { url, functions } of result) {
      if (OURS.test(url)) for (const each of functions) isNew = this.#add(url, each, keeps) || isNew
    }
    return isNew
  }

  #add(url: string, { ranges }: Profiler.FunctionCoverage, keeps: boolean): boolean {
    const [whole, ...blocks] = ranges
    if (whole === undefined || whole.count === 0) return false
    const { startOffset, endOffset } = whole
    const ran = new Uint8Array(endOffset - startOffset).fill(1)
    // An inner block follows the one around it.
    for (const block of blocks) {
      ran.fill(block.count > 0 ? 1 : 0, block.startOffset - startOffset, block.endOffset - startOffset)
    }
    const key = `${url}:${startOffset}-${endOffset}`
    const seen = this.#seen.get(key)
    const isNew = ran.some((one, at) => one === 1 && seen?.[at] !== 1)
    if (isNew && keeps) this.#seen.set(key, seen === undefined ? ran : ran.map((one, at) => one | seen[at]!))
    return isNew
  }

  /** A session of the same thread answers before `post` returns. */
  #post(method: string, parameters?: object): unknown {
    let answer: unknown
    this.#session.post(method, parameters, (error, result) => {
      if (error !== null) throw new Error(`${method}: ${error.message}`)
      answer = result
    })
    return answer
  }
}
