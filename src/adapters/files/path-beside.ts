import { dirname, isAbsolute, join } from 'node:path'

/** A file that another one names: absolute, or from its folder on. */
export const pathBeside = (path: string, name: string): string => (isAbsolute(name) ? name : join(dirname(path), name))
