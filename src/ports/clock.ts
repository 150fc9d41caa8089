/** Time, passed in so that tests can control it. */
export interface Clock {
  /** Milliseconds since some moment; never decreases. */
  now(): number
  /** The date, in milliseconds since 1970, for records. Unlike `now` it may jump. */
  date(): number
  /** Calls back once after `ms`; the returned function cancels the call. */
  after(ms: number, call: () => void): () => void
}
