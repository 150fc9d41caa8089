export interface RequestPath {
  readonly names: readonly string[]
  /** Whether it ends in a slash, as a folder's own address does. */
  readonly isFolder: boolean
}

/**
 * The path of a request target, its names decoded once.
 * @param target as the client sent it: `/a/b%20c?query`
 * @returns undefined for anything but a plain path downwards: empty names (except the last), `.` and `..`, encoded
 *   slashes, backslashes, control characters, broken or double encodings
 */
export function parsePath(target: string): RequestPath | undefined {
  const path = /^\/[^?#]*/.exec(target)?.[0]
  if (path === undefined || path.length > 2048) return undefined
  const isFolder = path.endsWith('/')
  const names: string[] = []
  for (const part of path.slice(1, isFolder ? -1 : undefined).split('/')) {
    const name = decode(part)
    if (name === undefined || name === '' || !isPlain(name)) return path === '/' ? { names, isFolder } : undefined
    names.push(name)
  }
  return { names, isFolder }
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
