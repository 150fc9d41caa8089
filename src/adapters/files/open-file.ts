import fs from 'node:fs'
import { dirname, join, sep } from 'node:path'
import { ConfigError, InfrastructureError } from '../../core/errors.ts'
import { openingFailed } from './opening-failed.ts'

// Without the flag, opening a pipe waits for its writer. Windows does not have it.
const READ = fs.constants.O_RDONLY | (fs.constants.O_NONBLOCK ?? 0)

/** How a file is opened that others may have named. */
export interface OpenFileOptions {
  /** The header that names it. */
  readonly namedBy?: string | undefined
  /** Throws for an open file that may not be read. */
  readonly check?: ((file: number, path: string) => void) | undefined
}

/**
 * Opens a file for reading.
 * @returns its descriptor
 * @throws ConfigError `NO_SUCH_FILE`, `UNSUPPORTED` for a folder, a pipe or a device; InfrastructureError `IO_ERROR`; what `check` throws
 */
export function openFile(path: string, { namedBy, check }: OpenFileOptions = {}): number {
  let file: number
  try {
    file = fs.openSync(path, READ)
  } catch (error) {
    throw openingFailed(path, error, namedBy)
  }
  try {
    check?.(file, path)
    const found = fs.fstatSync(file)
    if (found.isFile()) return file
    const what = found.isDirectory() ? 'a folder' : 'a pipe or a device'
    throw new ConfigError('UNSUPPORTED', `${path} is ${what}, not a file; check the path.`)
  } catch (error) {
    fs.closeSync(file)
    throw error
  }
}

/**
 * Opens a file below a folder that may be another user's. No link below that folder is followed, since it could lead to a file that its
 * owner may not read, also if one is put there at this moment.
 * @param folder may be, or lie behind, a link
 * @returns its descriptor
 * @throws what {@link openFile} throws; ConfigError `UNSUPPORTED` for what is, or lies behind, a link
 */
export function openBelow(folder: string, ...names: readonly string[]): number {
  let path: string
  let place: string
  try {
    path = join(fs.realpathSync(folder), ...names)
    place = fs.realpathSync(path)
  } catch (error) {
    throw openingFailed(join(folder, ...names), error)
  }
  if (place === path) {
    const file = openFile(path)
    if (isAt(file, path)) return file
    fs.closeSync(file)
  }
  throw new ConfigError('UNSUPPORTED', `${join(folder, ...names)} is, or lies behind, a link; expected a file.`)
}

/** Where an open file lies, or lay, without links; undefined where the system does not say it: elsewhere than on Linux. */
export function placeOf(file: number): string | undefined {
  try {
    return fs.readlinkSync(`/proc/self/fd/${file}`).replace(/ \(deleted\)$/, '')
  } catch {
    return undefined
  }
}

/** Whether an open file is, or was, what a path without links leads to. */
export function isAt(file: number, path: string): boolean {
  const place = placeOf(file)
  if (place !== undefined) return place === path
  // Folders have to stay the same for this moment.
  const found = fs.lstatSync(path, { throwIfNoEntry: false })
  return found === undefined || (found.ino === fs.fstatSync(file).ino && fs.realpathSync(path) === path)
}

/** Whether a path lies below a folder. Neither has links. */
export const liesBelow = (path: string, folder: string): boolean =>
  path.startsWith(folder.endsWith(sep) ? folder : folder + sep)

// A link could lead to a file of this user's to which nothing should be added. Windows has neither links without rights nor the flag.
const APPEND =
  fs.constants.O_WRONLY |
  fs.constants.O_CREAT |
  fs.constants.O_APPEND |
  (fs.constants.O_NOFOLLOW ?? 0) |
  (fs.constants.O_NONBLOCK ?? 0)

/**
 * Opens a log for a process that appends to it, in a folder that others may have made.
 * @param path its folder is created if it is missing
 * @returns its descriptor
 * @throws ConfigError `UNSUPPORTED` for a link, or anything but a file; the system's error
 */
export function openLog(path: string): number {
  const folder = dirname(path)
  fs.mkdirSync(folder, { recursive: true })
  const isLink = [folder, path].some((each) => fs.lstatSync(each, { throwIfNoEntry: false })?.isSymbolicLink())
  const file = isLink ? undefined : fs.openSync(path, APPEND, 0o666)
  if (file !== undefined && fs.fstatSync(file).isFile()) return file
  if (file !== undefined) fs.closeSync(file)
  throw new ConfigError(
    'UNSUPPORTED',
    `${path} is, or lies behind, a link or a pipe; expected a log of the run itself: remove it.`,
  )
}

/** Larger files are none of those that are read as a whole. */
const MOST_TEXT_BYTES = 100_000_000

/**
 * The text of a small file, whoever has put it there.
 * @throws what {@link openFile} throws; InfrastructureError `CORRUPT_DATA` for one that is too large
 */
export const readTextFile = (path: string): string => textOf(openFile(path), path)

/**
 * The same for a file below a folder that may be another user's.
 * @throws what {@link openBelow} throws; InfrastructureError `CORRUPT_DATA` for one that is too large
 */
export const readTextBelow = (folder: string, name: string): string =>
  textOf(openBelow(folder, name), join(folder, name))

function textOf(file: number, path: string): string {
  try {
    const { size } = fs.fstatSync(file)
    if (size > MOST_TEXT_BYTES) {
      throw new InfrastructureError(
        'CORRUPT_DATA',
        `${path} has ${size} bytes, and at most ${MOST_TEXT_BYTES} are expected.`,
      )
    }
    return fs.readFileSync(file, 'utf8')
  } finally {
    fs.closeSync(file)
  }
}

/** Larger than any list of blocks: a device may have no end. */
const MOST_NAMED_BYTES = 2 ** 28
const PIECE_BYTES = 2 ** 20

/**
 * The text of a file that a command names, or of a pipe, as a shell makes it of another command.
 * @param mostBytes @default 256 MiB
 * @throws ConfigError `UNSUPPORTED` for one that is too large; the system's error
 */
export function readNamedText(path: string, mostBytes = MOST_NAMED_BYTES): string {
  const file = fs.openSync(path, 'r')
  try {
    const pieces: Buffer[] = []
    for (let bytes = 0; ; ) {
      const piece = Buffer.allocUnsafe(PIECE_BYTES)
      const length = fs.readSync(file, piece, 0, PIECE_BYTES, null)
      if (length === 0) return Buffer.concat(pieces).toString('utf8')
      pieces.push(piece.subarray(0, length))
      bytes += length
      if (bytes > mostBytes) {
        throw new ConfigError(
          'UNSUPPORTED',
          `${path} has more than ${mostBytes} bytes; expected a text: check the path.`,
        )
      }
    }
  } finally {
    fs.closeSync(file)
  }
}
