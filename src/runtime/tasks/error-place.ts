import { fileURLToPath } from 'node:url'
import { explainMissing } from '../../core/system-errors.ts'
import { OWN_FOLDERS, PACKAGE_ROOT } from '../package-place.ts'

/** Of a checkout: the client and the package in Python. */
const OWN_PYTHON = [`${PACKAGE_ROOT}clients/python/`, `${PACKAGE_ROOT}python/bellis/`]

/** A file, a line and possibly a column, at the end of a line of a stack. */
const SOURCE_LINE = /(?<=^|[\s(])((?:file:\/\/)?\/[^\s()]+?):(\d+)(?::\d+)?\)?$/

/** A frame in a traceback of Python, also in a group of exceptions. */
const PYTHON_FRAME = /^[\s|+-]*File "(\/[^"]+)", line (\d+)/
const PYTHON_TRACE = /^[\s|+-]*(?:Exception Group )?Traceback \(most recent call last\):$/
/** What is installed: packages, and Python's own modules. */
const PYTHON_PACKAGE = /\/(?:site|dist)-packages\/|\/lib\/python[\d.]+\//

/**
 * The place in a user's code at which an error was thrown, from its stack: that of JavaScript, or a traceback of Python.
 * @returns `/home/me/task.ts:12`, undefined if no frame of the stack is a user's code
 */
export function placeOf(stack: string | undefined): string | undefined {
  const lines = stack?.split('\n') ?? []
  const trace = lines.findLastIndex((line) => PYTHON_TRACE.test(line))
  if (trace >= 0) return placeInPython(lines.slice(trace))
  // The stack of a syntax error starts with its place, other stacks start with the message.
  const isSyntax = SOURCE_LINE.test(lines[0] ?? '') && !lines[0]?.startsWith(' ')
  for (const line of isSyntax ? lines.slice(0, 1) : lines.filter((each) => /^\s+at /.test(each))) {
    const [, file = '', number] = SOURCE_LINE.exec(line) ?? []
    const url = file.startsWith('/') ? `file://${file}` : file
    if (file !== '' && !file.includes('/node_modules/') && !isOwn(url)) return `${showModule(url)}:${number}`
  }
  return undefined
}

/** The last frame is where it was raised. */
function placeInPython(lines: readonly string[]): string | undefined {
  const frames = lines.flatMap((line) => {
    const [, file = '', number] = PYTHON_FRAME.exec(line) ?? []
    return file === '' || PYTHON_PACKAGE.test(file) || isOwn(`file://${file}`) ? [] : [`${file}:${number}`]
  })
  return frames.at(-1)
}

const isOwn = (url: string): boolean => [...OWN_FOLDERS, ...OWN_PYTHON].some((folder) => url.startsWith(folder))

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
