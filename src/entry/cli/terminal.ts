import { randomUUID } from 'node:crypto'
import { StringDecoder } from 'node:string_decoder'
import { stripVTControlCharacters } from 'node:util'
import { printable } from '../../core/text/printable.ts'

/** Stands for our own control characters. It is new in each process, so no text from outside can contain it. */
const MARK = `\ue000${randomUUID()}`
const ESCAPE = `${MARK}e`
const RETURN = `${MARK}r`

/** A control sequence of our own, for a stream that is guarded: a colour, or a movement of the cursor. */
export const control = (sequence: string): string => sequence.replaceAll('\u001b', ESCAPE).replaceAll('\r', RETURN)

/** Characters that are two columns wide. */
const WIDE =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\uff01-\uff60]/gu

/** How many columns of a terminal a line takes. */
export function columnsOf(line: string): number {
  const shown = stripVTControlCharacters(forTerminal(line))
  return [...shown.replaceAll(/\p{Mark}/gu, '')].length + (shown.match(WIDE)?.length ?? 0)
}

const forTerminal = (text: string): string => printable(text).replaceAll(ESCAPE, '\u001b').replaceAll(RETURN, '\r')

type Write = (text: string, ...rest: readonly unknown[]) => boolean
type Output = Pick<NodeJS.WriteStream, 'write'>

const guarded = new WeakSet<Output>()

/**
 * Makes a stream show all control characters that it is given, except our own: names, messages and logs from elsewhere pass through
 * it, whoever prints them. Guarding a stream twice is no error.
 */
export function guardStream(stream: Output): void {
  if (guarded.has(stream)) return
  guarded.add(stream)
  const write = stream.write.bind(stream) as Write
  // Bytes are what worker threads print; a character may come in two pieces.
  const decoder = new StringDecoder('utf8')
  const guard: Write = (chunk: string | Uint8Array, ...rest) =>
    write(forTerminal(typeof chunk === 'string' ? chunk : decoder.write(Buffer.from(chunk))), ...rest)
  stream.write = guard as typeof stream.write
}
