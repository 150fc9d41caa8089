import { messageOf } from './errors.ts'

/** Why the operating system refused an operation on a file, with Bellis's wording. */
export interface SystemFailure {
  /** For a write. A read that fails with `READ_ONLY` lacks permission: report it as `IO_ERROR`. */
  readonly code: 'DISK_FULL' | 'READ_ONLY'
  /** `the disk is full`, `permission denied` */
  readonly reason: string
  /** `free some space`; no full stop, so that a caller can add what happens next. */
  readonly remedy: string
}

const DENIED = {
  code: 'READ_ONLY',
  reason: 'permission denied',
  remedy: 'check the owner and mode of its folder',
} as const

const FAILURES: Readonly<Record<string, SystemFailure>> = {
  ENOSPC: { code: 'DISK_FULL', reason: 'the disk is full', remedy: 'free some space' },
  EDQUOT: { code: 'DISK_FULL', reason: 'the disk quota is used up', remedy: 'free some space' },
  EROFS: { code: 'READ_ONLY', reason: 'the file system is read-only', remedy: 'choose another place' },
  EACCES: DENIED,
  EPERM: DENIED,
}

/** The `code` of a system error, such as `ENOENT`; undefined for any other value. */
export function errnoOf(error: unknown): string | undefined {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : undefined
}

/** @returns undefined for errors that are neither about space nor about permission */
export function systemFailure(error: unknown): SystemFailure | undefined {
  const errno = errnoOf(error) ?? ''
  return Object.hasOwn(FAILURES, errno) ? FAILURES[errno] : undefined
}

/** Numbers and names with which a network file system says that it lost a file, or its server; Node has no names for some of them. */
const LOST: ReadonlySet<string> = new Set([
  ...['ENOTCONN', 'EHOSTDOWN', 'EHOSTUNREACH', 'ENETDOWN', 'ENETUNREACH', 'ESTALE', 'EREMOTEIO'],
  // EBADFD, ESTALE
  ...['Unknown system error -77', 'Unknown system error -116'],
])

/** Whether a network file system has lost a file, or its server. */
export const isConnectionLost = (error: unknown): boolean => LOST.has(errnoOf(error) ?? '')

/** What is wrong with a path, by the number of a system error. */
const WRONG_PATHS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  ENOTDIR: 'a part of its path is a file, not a folder',
  ENAMETOOLONG: 'a name in its path is too long',
  ELOOP: 'its symbolic links lead to each other',
  EISDIR: 'it is a folder',
}

/** Why a path can't be used, and what to do; undefined if the error is about something else. */
export function wrongPath(error: unknown): Pick<SystemFailure, 'reason' | 'remedy'> | undefined {
  const errno = errnoOf(error) ?? ''
  if (!Object.hasOwn(WRONG_PATHS, errno)) return undefined
  // Folders such as /proc exist, but nothing can be created in them.
  const isRefused = errno === 'ENOENT' && (error as { readonly syscall?: unknown }).syscall === 'mkdir'
  if (isRefused) return { reason: 'no folder can be created there (ENOENT)', remedy: 'choose another place' }
  const remedy = errno === 'ENOENT' ? 'check the path' : 'choose another place'
  return { reason: `${WRONG_PATHS[errno]} (${errno})`, remedy }
}

/** What a system error says, for the end of a sentence. */
export const systemReason = (error: unknown): string =>
  isConnectionLost(error)
    ? `the connection to the file system was lost (${errnoOf(error)})`
    : (wrongPath(error)?.reason ?? messageOf(error))

const MISSING_FILE = /^ENOENT: no such file or directory, (\w+) '([^']+)'/
const NO_PROGRAM = /^spawn (.+) (ENOENT|EACCES)$/

/** The message of a system error in a user's code as a sentence, if it says no more than that a file or a program is missing. */
export function explainMissing(message: string): string {
  const [file, call = '', path = ''] = MISSING_FILE.exec(message) ?? []
  if (file !== undefined) {
    const from = path.startsWith('/') ? '' : '; relative paths start in the folder where the run was started'
    return message.replace(MISSING_FILE, `there is no file or folder ${path} (ENOENT, ${call})${from}`)
  }
  const [, program = '', errno] = NO_PROGRAM.exec(message) ?? []
  if (errno === undefined) return message
  if (errno === 'EACCES') return `${program} is not executable (EACCES); check its mode, or name its interpreter first`
  return program.includes('/')
    ? `there is no program ${program}, or its interpreter is missing (ENOENT); relative paths start in the folder where the run was started`
    : `there is no program ${program} on the PATH (ENOENT); install it, or give its path`
}

/** Whether a file is missing. A folder in place of a file, or the reverse, counts too: no such file exists either way. */
export function isMissingFile(error: unknown): boolean {
  const errno = errnoOf(error)
  return errno === 'ENOENT' || errno === 'ENOTDIR' || errno === 'EISDIR'
}
