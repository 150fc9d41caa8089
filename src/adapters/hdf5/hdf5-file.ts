import { closeSync, openSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { ConfigError, InfrastructureError } from '../../core/errors.ts'
import { isMissingFile } from '../../core/system-errors.ts'
import { askHdf5, callHdf5, Hdf5Failure, type Hdf5Library, loadHdf5 } from './library.ts'
import {
  DamagedHeader,
  type HeaderMessage,
  readObjectHeader,
  readSuperblock,
  type Superblock,
} from './object-header.ts'

/** The kind of object at a path of a file; `nothing` also for a dangling link. */
export type Hdf5Kind = 'group' | 'array' | 'type' | 'nothing'

const KINDS: Readonly<Record<number, Hdf5Kind>> = { 0: 'group', 1: 'array', 2: 'type' }

const openFiles = new Map<string, Hdf5File>()

/** One open HDF5 file, shared by all its arrays in this thread; closed when its last user releases it. */
export class Hdf5File {
  readonly path: string
  readonly library: Hdf5Library
  readonly #id: bigint
  readonly #key: string
  readonly #superblock: Superblock
  /** The file, apart from the library: still the same one if another takes its name. */
  readonly #fd: number
  #users = 1

  private constructor(library: Hdf5Library, path: string, key: string, fd: number, superblock: Superblock) {
    this.library = library
    this.path = path
    this.#key = key
    this.#fd = fd
    this.#superblock = superblock
    this.#id = callHdf5(library, (hdf5) => hdf5.open(path, 0, false, -1, -1))
  }

  /**
   * Opens a file for reading, or adds a user to one that is already open.
   * @throws ConfigError `NO_SUCH_FILE`, `INVALID_METADATA`; InfrastructureError `CORRUPT_DATA`, `IO_ERROR`
   */
  static async open(container: string): Promise<Hdf5File> {
    const path = resolve(container)
    const library = await loadHdf5()
    // No awaits from here on, so that two callers that open the same file at once share it.
    const { key, size } = identifyFile(path)
    const known = openFiles.get(key)
    if (known !== undefined) {
      known.#users++
      return known
    }
    const fd = openDescriptor(path)
    try {
      const superblock = guardHeader(path, () => readSuperblock(fd, size))
      assertComplete(path, size, superblock)
      const file = new Hdf5File(library, path, key, fd, superblock)
      openFiles.set(key, file)
      return file
    } catch (error) {
      closeSync(fd)
      throw failed(path, 'opened', error)
    }
  }

  /** Adds a user. */
  retain(): this {
    this.#users++
    return this
  }

  /** Removes a user; the last one closes the file. */
  release(): void {
    this.#users--
    if (this.#users > 0) return
    openFiles.delete(this.#key)
    closeSync(this.#fd)
    askHdf5(this.library, (hdf5) => hdf5.close_file(this.#id))
  }

  /** Makes a call on this file that must succeed. @throws Hdf5Failure */
  call<T>(call: (hdf5: Hdf5Library, id: bigint) => T): T {
    return callHdf5(this.library, (hdf5) => call(hdf5, this.#id))
  }

  kindOf(path: string): Hdf5Kind {
    try {
      return KINDS[this.call((hdf5, id) => hdf5.get_type(id, `/${path}`))] ?? 'nothing'
    } catch {
      // HDF5 reports a dangling link as an error, and h5wasm then returns whatever was in memory.
      return 'nothing'
    }
  }

  /** Names in a group, in the order in which HDF5 lists them. */
  childrenOf(group: string): readonly string[] {
    try {
      return this.call((hdf5, id) => hdf5.get_names(id, `/${group}`, false))
    } catch (error) {
      throw failed(`${this.path}/${group}`, 'listed', error)
    }
  }

  softLinkOf(path: string): string | undefined {
    return askHdf5(this.library, (hdf5) => hdf5.get_symbolic_link(this.#id, `/${path}`)) ?? undefined
  }

  externalLinkOf(path: string): { readonly file: string; readonly path: string } | undefined {
    const link = askHdf5(this.library, (hdf5) => hdf5.get_external_link(this.#id, `/${path}`))
    return link.filename === undefined ? undefined : { file: link.filename, path: link.obj_path ?? '' }
  }

  /** The address of an object's header; the same for all hard links to one object. */
  addressOf(path: string): number {
    const bytes = Uint8Array.from(this.call((hdf5, id) => hdf5.create_object_reference(id, `/${path}`)))
    return Number(new DataView(bytes.buffer).getBigUint64(0, true))
  }

  /**
   * Reads the messages of an object's header from the file itself, bypassing HDF5.
   * @param use the descriptor is valid until the last user releases the file
   */
  inspectHeader<T>(path: string, use: (fd: number, block: Superblock, messages: readonly HeaderMessage[]) => T): T {
    const address = this.addressOf(path)
    const [fd, superblock] = [this.#fd, this.#superblock]
    return guardHeader(this.path, () => use(fd, superblock, readObjectHeader(fd, superblock, address)))
  }
}

function assertComplete(path: string, size: number, superblock: Superblock | undefined): asserts superblock {
  if (superblock === undefined) {
    throw new ConfigError('INVALID_METADATA', `"${path}" is not an HDF5 file: it has no HDF5 signature.`)
  }
  if (superblock.endOfFile <= size) return
  throw new InfrastructureError(
    'CORRUPT_DATA',
    `"${path}" is truncated: expected ${superblock.endOfFile} bytes, got ${size}; copy it again.`,
  )
}

/** Turns a failed call into a Bellis error with HDF5's reason. @param what 'opened', 'read', … */
export function failed(path: string, what: string, error: unknown): Error {
  if (!(error instanceof Hdf5Failure)) return error as Error
  const cause = new Error(error.report === '' ? error.message : error.report.trimEnd())
  // If HDF5 reports the errno of a failed system call, the disk is at fault, not the bytes on it.
  const code = /errno = [1-9]/.test(error.report) ? 'IO_ERROR' : 'CORRUPT_DATA'
  return new InfrastructureError(code, `"${path}" can't be ${what}; HDF5 says: ${error.message}.`, { cause })
}

function identifyFile(path: string): { readonly key: string; readonly size: number } {
  try {
    const stat = statSync(path, { bigint: true })
    if (stat.isDirectory()) {
      throw new ConfigError('INVALID_METADATA', `"${path}" is a folder, not an HDF5 file.`)
    }
    if (!stat.isFile()) {
      throw new ConfigError('UNSUPPORTED', `"${path}" is a pipe or a device, not a file; check the path.`)
    }
    // The inode distinguishes a file that was replaced from the one still open under the same name.
    return { key: `${stat.dev}/${stat.ino}/${path}`, size: Number(stat.size) }
  } catch (error) {
    throw systemError(path, error)
  }
}

function openDescriptor(path: string): number {
  try {
    return openSync(path, 'r')
  } catch (error) {
    throw systemError(path, error)
  }
}

function guardHeader<T>(path: string, use: () => T): T {
  try {
    return use()
  } catch (error) {
    if (!(error instanceof DamagedHeader)) throw error
    throw new InfrastructureError('CORRUPT_DATA', `"${path}" is damaged: ${error.message}; copy it again.`, {
      cause: error,
    })
  }
}

function systemError(path: string, error: unknown): Error {
  if (error instanceof ConfigError) return error
  if (isMissingFile(error)) return new ConfigError('NO_SUCH_FILE', `There is no file "${path}".`)
  return new InfrastructureError('IO_ERROR', `"${path}" can't be opened: ${(error as Error).message}.`, {
    cause: error,
  })
}
