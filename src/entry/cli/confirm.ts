import { createInterface } from 'node:readline/promises'
import { ConfigError, type ErrorCode } from '../../core/errors.ts'
import { printableLine } from '../../core/text/printable.ts'

interface Confirmation {
  /** The consequence, as a sentence without a full stop. */
  readonly consequence: string
  /** The flag that confirms without a question, such as `--yes`. */
  readonly flag: string
  /** The error's code if the answer is no, or if there is no terminal to ask on. */
  readonly code: ErrorCode
}

/** Asks on the terminal whether to continue. @throws ConfigError unless the answer is yes */
export async function confirm({ consequence, flag, code }: Confirmation): Promise<void> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new ConfigError(code, `${consequence}; add ${flag} to confirm.`)
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr, terminal: false })
  const answer = await terminal.question(`${printableLine(consequence)}. Continue? [y/N] `)
  terminal.close()
  if (!/^y(es)?$/i.test(answer.trim())) throw new ConfigError(code, 'Cancelled; nothing was changed.')
}
