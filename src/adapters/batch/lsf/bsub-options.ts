import { parseOptionWords } from '../option-words.ts'

/** Options of bsub that Bellis sets itself, or with which no worker would start; and what to do instead. */
const REFUSED: ReadonlyMap<string, string> = new Map([
  ['-J', 'use --workers; Bellis names its jobs so that it can cancel them'],
  ...['-o', '-oo', '-e', '-eo'].map((name) => [name, "a worker's output goes to the run's folder"] as const),
  ['-cwd', 'workers run in the folder where the run was started'],
  ...['-r', '-rn'].map((name) => [name, 'Bellis replaces a job that has ended with a new one'] as const),
  ...['-K', '-I', '-Ip', '-Is', '-IS', '-ISp', '-ISs', '-Zs', '-pack', '-h', '-V', '-env', '-L'].map(
    (name) => [name, 'no worker can be submitted with it'] as const,
  ),
])
const WITHOUT_VALUE: ReadonlySet<string> = new Set(['-x', '-H', '-B', '-N', '-ptl', '-ul', '-notify'])

/**
 * Splits the text of `--lsf` into options.
 * @throws ConfigError `INVALID_CONFIG` for a word that is neither an option nor its value, or an option that Bellis sets itself
 */
export function parseBsubOptions(text: string): string[] {
  return parseOptionWords(text, {
    flag: '--lsf',
    program: 'bsub',
    example: '-q short -W 4:00 -M 4G',
    refused: (word) => REFUSED.get(word),
    valuesOf: (option) => (WITHOUT_VALUE.has(option) ? 0 : 1),
  })
}

/** Has LSF send SIGTERM before the run limit, if there is one; nothing if the user decides what happens then. */
export function warningOf(words: readonly string[], noticeSeconds: number): string[] {
  if (!words.includes('-W') || words.includes('-wa')) return []
  return ['-wa', 'TERM', '-wt', String(Math.max(1, Math.ceil(noticeSeconds / 60)))]
}
