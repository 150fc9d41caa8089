import { readFileSync } from 'node:fs'
import { quoteShell } from '../../core/shell-words.ts'
import { hideQueries } from '../../core/text/shown-address.ts'
import { PACKAGE_ROOT } from '../../runtime/package-place.ts'
import { withoutCredentials } from './progress-place.ts'

/** The version of this Bellis. */
export function ownVersion(): string {
  const manifest = readFileSync(new URL('package.json', PACKAGE_ROOT), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}

/** Words of a command without `--notify URL`: whoever knows the address can post to it. */
export const withoutNotify = (words: readonly string[]): string[] =>
  words.filter((word, i) => !/^--notify(=|$)/.test(word) && words[i - 1] !== '--notify')

/** The command that started this process, for a shell. Credentials of databases and queries of web addresses are left out. */
export function ownCommand(argv: readonly string[] = process.argv): string {
  const [, script, ...all] = argv
  const rest = withoutNotify(all)
  const isBellis = /(^|[\\/])(bellis(\.js)?|entry[\\/]cli[\\/]main\.[jt]s)$/.test(script ?? '')
  const words = isBellis ? ['bellis', ...rest] : ['node', ...(script === undefined ? [] : [script]), ...rest]
  return words.map((word) => quoteShell(hideSecrets(word))).join(' ')
}

/** A word of a command, or a value of a configuration, without secrets. */
export const hideSecrets = (word: string): string => hideQueries(withoutCredentials(word))
