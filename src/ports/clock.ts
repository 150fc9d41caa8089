/** Time, given from outside so that tests can hold it. */
export interface Clock {
  /** Milliseconds since some moment; never goes back. */
  now(): number
  /** Calls back once after `ms`; the returned function calls it off. */
  after(ms: number, call: () => void): () => void
}
