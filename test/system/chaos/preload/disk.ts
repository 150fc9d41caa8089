import fs from 'node:fs'
import { asked } from './control.ts'

type Done = (error: NodeJS.ErrnoException | null, ...values: unknown[]) => void
type Call = (...args: unknown[]) => unknown

/** Which files are open. */
const paths = new Map<number, string>()
const calls = fs as unknown as Record<string, Call>
const { open, close } = fs

const isHit = (path: string): boolean => {
  const { disk } = asked()
  return disk !== undefined && path.startsWith(disk.folder) && Math.random() < disk.rate
}

function failure(code: string, syscall: string): NodeJS.ErrnoException {
  const errno = code === 'EIO' ? -5 : -28
  const text = code === 'EIO' ? 'i/o error' : 'no space left on device'
  return Object.assign(new Error(`${code}: ${text}, ${syscall}`), { errno, code, syscall })
}

/** Disturbs a function of node:fs with a callback. @param pathOf the file that a call is about */
function disturb(name: 'open' | 'read' | 'write' | 'fsync' | 'rename', pathOf: (args: unknown[]) => string): void {
  const real = calls[name] as Call
  const isWrite = name !== 'read' && name !== 'open'
  calls[name] = (...args) => {
    if (!isHit(pathOf(args))) return real(...args)
    const { disk } = asked()
    const done = args.at(-1) as Done
    if (disk?.kind === 'slow') return setTimeout(() => real(...args), 200 * Math.random())
    if (disk?.kind === 'EIO') return setImmediate(() => done(failure('EIO', name)))
    if (disk?.kind === 'ENOSPC' && isWrite) return setImmediate(() => done(failure('ENOSPC', name)))
    // (file, buffer, offset, length, position, done)
    if (disk?.kind === 'short' && (name === 'read' || name === 'write') && (args[3] as number) > 1)
      return real(...args.with(3, Math.ceil((args[3] as number) / 3)))
    return real(...args)
  }
}

const ofPath = ([path]: unknown[]) => String(path)
const ofFile = ([file]: unknown[]) => paths.get(file as number) ?? ''

fs.open = ((...args: unknown[]) => {
  const done = args.at(-1) as Done
  const noted: Done = (error, file) => {
    if (error === null) paths.set(file as number, String(args[0]))
    done(error, file)
  }
  return (open as Call)(...args.with(-1, noted))
}) as never
fs.close = ((file: number, ...rest: unknown[]) => {
  paths.delete(file)
  return (close as Call)(file, ...rest)
}) as never

disturb('open', ofPath)
disturb('read', ofFile)
disturb('write', ofFile)
disturb('fsync', ofFile)
disturb('rename', ofPath)

export { paths }
