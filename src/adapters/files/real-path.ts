import { realpathSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

/** Resolves symbolic links, as far as the path exists. @returns an absolute path */
export function realPath(path: string): string {
  const absolute = resolve(path)
  try {
    return realpathSync(absolute)
  } catch {
    const parent = dirname(absolute)
    return parent === absolute ? absolute : join(realPath(parent), absolute.slice(parent.length))
  }
}
