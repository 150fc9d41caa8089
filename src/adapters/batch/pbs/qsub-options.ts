import { parseOptionWords } from '../option-words.ts'

/** Options of qsub that Bellis sets itself, or with which no worker would start; and what to do instead. */
const REFUSED: ReadonlyMap<string, string> = new Map([
  ...['-t', '-J'].map((name) => [name, 'use --workers'] as const),
  ...['-o', '-e', '-j', '-k'].map((name) => [name, "a worker's output goes to the run's folder"] as const),
  ['-N', 'Bellis names its jobs so that it can cancel them'],
  ...['-d', '-w', '-D'].map((name) => [name, 'workers run in the folder where the run was started'] as const),
  ['-r', 'Bellis replaces a job that has ended with a new one'],
  ...['-I', '-X', '-S', '-C', '-F', '-z', '-v'].map((name) => [name, 'no worker can be submitted with it'] as const),
])
const WITHOUT_VALUE: ReadonlySet<string> = new Set(['-V', '-h', '-f', '-n', '-x'])

/**
 * Splits the text of `--pbs` into options.
 * @throws ConfigError `INVALID_CONFIG` for a word that is neither an option nor its value, or an option that Bellis sets itself
 */
export function parsePbsOptions(text: string): string[] {
  return parseOptionWords(text, {
    flag: '--pbs',
    program: 'qsub',
    example: '-q short -l walltime=4:00:00',
    // A value may be attached: -N5.
    refused: (word) => REFUSED.get(word.slice(0, 2)),
    valuesOf: (option) => (WITHOUT_VALUE.has(option) ? 0 : 1),
  })
}
