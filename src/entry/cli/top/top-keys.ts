import type { ControlCommand } from '../../../core/control/commands.ts'

/** What the user is about to say. */
export type Prompt =
  /** Nothing yet: keys are commands. */
  | { readonly status: 'none' }
  /** Whether the run is to stop. */
  | { readonly status: 'stop' }
  /** How many workers it is to have, as far as that is typed. */
  | { readonly status: 'scale'; readonly typed: string }

export const NO_PROMPT: Prompt = { status: 'none' }

/** What a key does. */
export interface KeyEffect {
  readonly prompt: Prompt
  readonly command?: ControlCommand
  readonly leaves?: true
  /** What was typed and means nothing. */
  readonly complaint?: string
}

const CTRL_C = '\u0003'
const ESCAPE = '\u001b'
const LONGEST = 14

/** Reads what one key does. */
export function pressKey(prompt: Prompt, key: string): KeyEffect {
  if (key === CTRL_C) return { prompt: NO_PROMPT, leaves: true }
  switch (prompt.status) {
    case 'none':
      return pressCommand(key)
    case 'stop':
      return key === 'y' ? { prompt: NO_PROMPT, command: { type: 'stop', now: false } } : { prompt: NO_PROMPT }
    case 'scale':
      return pressNumber(prompt.typed, key)
    default:
      return prompt satisfies never
  }
}

function pressCommand(key: string): KeyEffect {
  switch (key) {
    case 'q':
      return { prompt: NO_PROMPT, leaves: true }
    case 's':
      return { prompt: { status: 'stop' } }
    case 'w':
      return { prompt: { status: 'scale', typed: '' } }
    case 'r':
      return { prompt: NO_PROMPT, command: { type: 'retry', keepWorkers: false } }
    default:
      return { prompt: NO_PROMPT }
  }
}

function pressNumber(typed: string, key: string): KeyEffect {
  if (key === ESCAPE) return { prompt: NO_PROMPT }
  if (key === '\u007f' || key === '\b') return { prompt: { status: 'scale', typed: typed.slice(0, -1) } }
  if (key !== '\r' && key !== '\n') {
    const isPart = /^[\d.]$/.test(key) && typed.length < LONGEST
    return { prompt: { status: 'scale', typed: isPart ? typed + key : typed } }
  }
  const [, first, last = first] = /^(\d{1,6})(?:\.\.(\d{1,6}))?$/.exec(typed) ?? []
  const [least, workers] = [Number(first), Number(last)]
  if (!(least >= 1 && least <= workers)) {
    return { prompt: NO_PROMPT, complaint: `"${typed}": expected a number of workers, or a range such as 2..16` }
  }
  return { prompt: NO_PROMPT, command: { type: 'scale', workers, ...(least === workers ? {} : { least }) } }
}

/** The keys of a text that a terminal sent: an escape sequence, such as that of an arrow, is no key. */
export const keysIn = (text: string): string[] =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what terminals send
  [...text.replace(/\u001b(\[[\d;]*[A-Za-z~]|O[A-Z])/g, '')]
