import { parseOptionWords } from '../option-words.ts'

/** Options of qsub that Bellis sets itself, or with which no worker would start; and what to do instead. */
const REFUSED: ReadonlyMap<string, string> = new Map([
  ['-t', 'use --workers'],
  ...['-o', '-e', '-j'].map((name) => [name, "a worker's output goes to the run's folder"] as const),
  ['-N', 'Bellis names its jobs so that it can cancel them'],
  ...['-cwd', '-wd'].map((name) => [name, 'workers run in the folder where the run was started'] as const),
  ['-r', 'Bellis replaces a job that has ended with a new one'],
  ...['-terse', '-sync', '-verify', '-help', '-b', '-shell', '-S', '-C', '-@'].map(
    (name) => [name, 'no worker can be submitted with it'] as const,
  ),
])
const WITHOUT_VALUE: ReadonlySet<string> = new Set(['-V', '-notify', '-hard', '-soft', '-clear', '-h'])
const WITH_TWO_VALUES: ReadonlySet<string> = new Set(['-pe'])

/**
 * Splits the text of `--sge` into options.
 * @throws ConfigError `INVALID_CONFIG` for a word that is neither an option nor its value, or an option that Bellis sets itself
 */
export function parseQsubOptions(text: string): string[] {
  return parseOptionWords(text, {
    flag: '--sge',
    program: 'qsub',
    example: '-q short.q -l h_rt=4:00:00',
    refused: (word) => REFUSED.get(word),
    valuesOf: (option) => (WITHOUT_VALUE.has(option) ? 0 : WITH_TWO_VALUES.has(option) ? 2 : 1),
  })
}

/** The soft time limit, at which SGE warns a job with SIGUSR1 before the hard limit kills it; none if the user set one. */
export function softLimitOf(words: readonly string[], noticeSeconds: number): string[] {
  const requests = words.filter((_, index) => words[index - 1] === '-l').join(',')
  const [, limit] = /(?:^|,)h_rt=(\d*(?::\d*){0,2})(?:,|$)/.exec(requests) ?? []
  if (limit === undefined || /(?:^|,)s_rt=/.test(requests)) return []
  const seconds = limit.split(':').reduce((sum, part) => sum * 60 + Number(part), 0)
  return ['-l', `s_rt=${Math.max(1, seconds - noticeSeconds)}`]
}
