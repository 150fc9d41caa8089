/** What is missing at the start of a log that was shortened. */
export interface LeftOut {
  readonly bytes: number
  readonly lines: number
}

const PATTERN =
  /^\[bellis\] The first (\d+) bytes \((\d+) lines\) were left out to keep the size of this log within its limit\.\n/

/** The first line of a log says what is missing; it is never longer than this. */
export const LOG_START_BYTES = 160

/** The first line of a log that was shortened. */
export const leftOutLine = ({ bytes, lines }: LeftOut): string =>
  `[bellis] The first ${bytes} bytes (${lines} lines) were left out to keep the size of this log within its limit.\n`

/**
 * What a log says is missing.
 * @param start its first `LOG_START_BYTES` characters, or all of it
 */
export function leftOutOf(start: string): LeftOut & { readonly lineLength: number } {
  const [line = '', bytes = '0', lines = '0'] = PATTERN.exec(start) ?? []
  return { bytes: Number(bytes), lines: Number(lines), lineLength: line.length }
}

/**
 * What is added to a position in the file of a log to get the position in everything that was printed, which stays the same when the log is
 * shortened.
 * @param start as for {@link leftOutOf}
 */
export function logShift(start: string): number {
  const { bytes, lineLength } = leftOutOf(start)
  return bytes - lineLength
}
