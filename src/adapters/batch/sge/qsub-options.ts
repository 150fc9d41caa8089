import { ConfigError } from '../../../core/errors.ts'
import { splitWords } from '../../../core/shell-words.ts'

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
  const words = splitWords(text, '--sge')
  let values = 0
  for (const word of words) {
    if (values > 0 && !(word.startsWith('-') && !/^-\d/.test(word))) {
      values--
      continue
    }
    const refused = REFUSED.get(word)
    if (refused !== undefined) {
      throw new ConfigError('INVALID_CONFIG', `--sge: the option "${word}" is not allowed: ${refused}.`)
    }
    if (!word.startsWith('-')) {
      throw new ConfigError(
        'INVALID_CONFIG',
        `--sge: "${word}" is not an option of qsub; expected only options, such as --sge "-q short.q -l h_rt=4:00:00".`,
      )
    }
    values = WITHOUT_VALUE.has(word) ? 0 : WITH_TWO_VALUES.has(word) ? 2 : 1
  }
  return words
}

/** The soft time limit, at which SGE warns a job with SIGUSR1 before the hard limit kills it; none if the user set one. */
export function softLimitOf(words: readonly string[], noticeSeconds: number): string[] {
  const requests = words.filter((_, index) => words[index - 1] === '-l').join(',')
  const [, limit] = /(?:^|,)h_rt=(\d*(?::\d*){0,2})(?:,|$)/.exec(requests) ?? []
  if (limit === undefined || /(?:^|,)s_rt=/.test(requests)) return []
  const seconds = limit.split(':').reduce((sum, part) => sum * 60 + Number(part), 0)
  return ['-l', `s_rt=${Math.max(1, seconds - noticeSeconds)}`]
}
