import { styleText } from 'node:util'
import { BlockwiseError, messageOf } from '../../core/errors.ts'
import { originOf } from '../../core/resource-stack.ts'
import { isConnectionLost, systemFailure, systemReason, wrongPath } from '../../core/system-errors.ts'
import { printable, printableJson, printableLine } from '../../core/text/printable.ts'
import { hideQueries } from '../../core/text/shown-address.ts'
import { wrappedWarning } from './layout.ts'
import type { CommonOptions } from './options.ts'
import { control } from './terminal.ts'

export type Style = Parameters<typeof styleText>[0]

/** Colours a text if the stream is a terminal and NO_COLOR is not set. */
export const paint = (style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string =>
  control(styleText(style, printable(text), { stream, validateStream: true }))

/** Prints a text on standard output; nothing with --json or --quiet. */
export function say(options: CommonOptions, text: string): void {
  if (!options.json && !options.quiet) process.stdout.write(`${text}\n`)
}

/** Prints a warning on standard error; nothing with --quiet. */
export function warn(options: CommonOptions, text: string): void {
  if (options.logLevel === 'error' || options.quiet) return
  const [label, shown] = ['warning:', printableLine(hideQueries(text))]
  const lines = wrappedWarning(`${label} ${shown}`, process.stderr)
  process.stderr.write(`${paint('yellow', label, process.stderr)}${lines.slice(label.length)}\n`)
}

/** A message from anywhere, as it may be printed. */
const shownText = (text: string): string => printable(hideQueries(text))

/** Prints a JSON document on standard output; bigints are written as exact numbers, non-finite numbers as strings. */
export function printJson(value: unknown): void {
  const marked = JSON.stringify(
    value,
    (_, part: unknown) => {
      if (typeof part === 'bigint') return `\u0000${part}\u0000`
      return typeof part === 'number' && !Number.isFinite(part) ? String(part) : part
    },
    2,
  )
  process.stdout.write(`${printableJson(marked.replace(/"\\u0000(-?\d+)\\u0000"/g, '$1'))}\n`)
}

/**
 * Prints an error on one line, and its stack and causes with `--log-level debug`.
 * @returns the exit code for it
 */
export function reportError(thrown: unknown, args: readonly string[]): number {
  const error = originOf(thrown)
  const refused = describeRefusal(error)
  const known = error instanceof BlockwiseError || refused !== undefined
  const text = refused ?? messageOf(error)
  const debug = args.join(' ').includes('--log-level debug') || args.includes('--log-level=debug')
  const prefix = known ? 'bellis:' : 'bellis: internal error:'
  process.stderr.write(`${paint('red', prefix, process.stderr)} ${shownText(text.replaceAll('\n', ' '))}\n`)
  if (debug && error instanceof Error) process.stderr.write(`${shownText(error.stack ?? '')}\n`)
  for (
    let cause = error instanceof Error ? error.cause : undefined;
    debug && cause instanceof Error;
    cause = cause.cause
  ) {
    process.stderr.write(`caused by ${shownText(cause.stack ?? '')}\n`)
  }
  return known ? 2 : 1
}

/** The error of a file operation that the operating system refused; undefined for any other error. */
function describeRefusal(error: unknown): string | undefined {
  if (error instanceof BlockwiseError) return undefined
  const { path = 'A file', dest = path } = error as NodeJS.ErrnoException & { readonly dest?: string }
  if (isConnectionLost(error)) return `${dest}: ${systemReason(error)}; start again when it is back.`
  const failure = systemFailure(error) ?? wrongPath(error)
  if (failure === undefined) return undefined
  return `${dest}: ${failure.reason}; ${failure.remedy}.`
}
