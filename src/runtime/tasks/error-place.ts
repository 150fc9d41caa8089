import { fileURLToPath } from 'node:url'
import { explainMissing } from '../../core/system-errors.ts'
import { OWN_FOLDERS } from '../package-place.ts'

/** A file, a line and possibly a column, at the end of a line of a stack. */
const SOURCE_LINE = /(?<=^|[\s(])((?:file:\/\/)?\/[^\s()]+?):(\d+)(?::\d+)?\)?$/

/**
 * The place in a user's code at which an error was thrown, from its stack.
 * @returns `/home/me/task.ts:12`, undefined if no frame of the stack is a user's code
 */
export function placeOf(stack: string | undefined): string | undefined {
  const lines = stack?.split('\n') ?? []
  // The stack of a syntax error starts with its place, other stacks start with the message.
  const isSyntax = SOURCE_LINE.test(lines[0] ?? '') && !lines[0]?.startsWith(' ')
  for (const line of isSyntax ? lines.slice(0, 1) : lines.filter((each) => /^\s+at /.test(each))) {
    const [, file = '', number] = SOURCE_LINE.exec(line) ?? []
    const url = file.startsWith('/') ? `file://${file}` : file
    if (file !== '' && !file.includes('/node_modules/') && !OWN_FOLDERS.some((folder) => url.startsWith(folder))) {
      return `${showModule(url)}:${number}`
    }
  }
  return undefined
}

/** A module's URL for users: the path of a file. */
export const showModule = (url: string): string => (url.startsWith('file:') ? fileURLToPath(url) : url)

/** An error's message, which says what is missing if it is a system error, and the place in the user's code at which it was thrown. */
export function messageAndPlace(said: string, stack: string | undefined): string {
  const message = explainMissing(said)
  const place = placeOf(stack)
  if (place === undefined || message.includes(place)) return message
  const [first, ...others] = message.split('\n')
  return [`${first} (${place})`, ...others].join('\n')
}
