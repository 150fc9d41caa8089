/**
 * The names in the path of a request target, decoded once.
 * @param target as the client sent it: `/a/b%20c?query`
 * @returns undefined for what could mean anything but a plain path downwards: empty names (but the last), `.` and `..`, encoded
 *   slashes, backslashes, control characters, broken or doubled encodings
 */
export function parsePath(target: string): readonly string[] | undefined {
  const path = /^\/[^?#]*/.exec(target)?.[0]
  if (path === undefined || path.length > 2048) return undefined
  const names: string[] = []
  for (const part of path.slice(1).split('/')) {
    const name = decode(part)
    if (name === undefined || !isPlain(name)) return undefined
    names.push(name)
  }
  // A folder's own address ends in a slash.
  const isFolder = names.at(-1) === ''
  const plain = isFolder ? names.slice(0, -1) : names
  return plain.includes('') ? undefined : plain
}

function decode(part: string): string | undefined {
  try {
    return decodeURIComponent(part)
  } catch {
    return undefined
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNSAFE = /[\u0000-\u001f\u007f/\\%:]/

const isPlain = (name: string): boolean => !UNSAFE.test(name) && !/^\.+$/.test(name)
