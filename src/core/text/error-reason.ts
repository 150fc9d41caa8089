/** Above the frames of Python, which names the error in the first line after them, as far left as this one. */
const TRACEBACK = /^(.*?)(?:\+ Exception Group )?Traceback \(most recent call last\):$/
/** A frame of JavaScript or Java, which name the error in the lines above the first one. */
const FRAME = /^\s+at \S/
const NAMED_ERROR =
  /^(?:Uncaught |Exception in thread \S+ )?(?:[\w$.]*(?:Error|Exception)\b[^:]*|[\w$.]+ \[\w+\])(?::|$)/
/** What Node prints at its end. */
const FAREWELL = /^Node\.js v\d|^\(Use `node --trace-/

/** The line of an error's message that gives the reason: the first one, or where a trace names it. */
export const reasonOf = (message: string): string => {
  const lines = linesOf(message)
  return tracedReason(lines) ?? lines[0]?.trim() ?? ''
}

/** The line of a program's output that says why it ended: the last one, or where a trace names it. */
export const reasonInOutput = (output: string): string => {
  const lines = linesOf(output)
  return tracedReason(lines) ?? lines.findLast((line) => !FAREWELL.test(line))?.trim() ?? ''
}

/** What happened, and why, in the first line; all that a program has printed last is below it. */
export const withLastOutput = (what: string, output: string): string => {
  if (output.trim() === '') return what
  const all = output.includes('\n') ? `\nIts last output:\n${output}` : ''
  return `${what}: ${reasonInOutput(output)}${all}`
}

/** The lines of a message, after that with the reason, which is first. */
export function reasonFirst(message: string): [reason: string, ...others: string[]] {
  const reason = reasonOf(message)
  const lines = message.split('\n')
  return lines[0]?.trim() === reason ? [reason, ...lines.slice(1)] : [reason, ...lines]
}

const linesOf = (text: string): string[] => text.split('\n').filter((line) => line.trim() !== '')

const tracedReason = (lines: readonly string[]): string | undefined => pythonReason(lines) ?? javaScriptReason(lines)

function pythonReason(lines: readonly string[]): string | undefined {
  const start = lines.findLastIndex((line) => TRACEBACK.test(line))
  if (start === -1) return undefined
  // The traces of a group are indented; a message may start in the line of its trace.
  const [, before = ''] = TRACEBACK.exec(lines[start] as string) ?? []
  const margin = /^[\s|+]*$/.test(before) ? before.replace('+', '|') : ''
  const after = lines.slice(start + 1).filter((line) => line.startsWith(margin))
  return after.map((line) => line.slice(margin.length)).find((line) => /^\w/.test(line))
}

function javaScriptReason(lines: readonly string[]): string | undefined {
  const frame = lines.findIndex((line) => FRAME.test(line))
  if (frame < 1) return undefined
  const above = lines.slice(0, frame)
  return (above.findLast((line) => NAMED_ERROR.test(line)) ?? above.at(-1))?.trim()
}
