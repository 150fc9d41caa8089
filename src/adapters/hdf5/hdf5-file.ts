import { type Stats, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { ConfigError, InfrastructureError } from '../../core/errors.ts'
import { isAddress } from '../../core/text/address.ts'
import type { ByteFile } from '../../ports/byte-file.ts'
import type { ExternalFiles } from '../files/external-files.ts'
import { AbsentBytes, withBytes } from '../ranges/absent-bytes.ts'
import { openBytes, type RangeOptions } from '../ranges/open-bytes.ts'
import { askHdf5, callHdf5, Hdf5Failure, type Hdf5Library, loadHdf5 } from './library.ts'
import {
  DamagedHeader,
  type HeaderMessage,
  readObjectHeader,
  readSuperblock,
  type Superblock,
} from './object-header.ts'
import { type CallAccess, mountFile } from './ranges/mounted-files.ts'

type Mount = ReturnType<typeof mountFile>

/** Which files may be read, and how. */
export interface FileAccess {
  readonly external: ExternalFiles
  readonly ranges: RangeOptions
}

/** The kind of object at a path of a file; `nothing` also for a dangling link. */
export type Hdf5Kind = 'group' | 'array' | 'type' | 'nothing'

const KINDS: Readonly<Record<number, Hdf5Kind>> = { 0: 'group', 1: 'array', 2: 'type' }

const openFiles = new Map<string, Hdf5File>()

/** One of another dataset may read other files. */
const keyOf = (bytes: ByteFile, external: ExternalFiles | undefined): string => `${external?.key ?? ''} ${bytes.id}`

/** One open HDF5 file, shared by all its arrays in this thread; closed when its last user releases it. */
export class Hdf5File {
  /** As users write it; without the query of an address. */
  readonly path: string
  /** The address that it was opened by, or its path. */
  readonly container: string
  readonly library: Hdf5Library
  /** The file, apart from the library: still the same one if another takes its name. */
  readonly bytes: ByteFile
  readonly #id: bigint
  readonly #superblock: Superblock
  readonly #mount: Mount | undefined
  readonly #access: CallAccess
  readonly #key: string
  #users = 1

  private constructor(
    library: Hdf5Library,
    container: string,
    bytes: ByteFile,
    superblock: Superblock,
    external: ExternalFiles | undefined,
  ) {
    this.library = library
    this.container = container
    this.path = bytes.path
    this.bytes = bytes
    this.#superblock = superblock
    const mount = bytes.isRemote ? mountFile(bytes) : undefined
    this.#mount = mount
    this.#key = keyOf(bytes, external)
    this.#access = {
      isRemote: bytes.isRemote,
      check: external && ((file, path) => external.assertHolds(file, path, `"${bytes.path}"`)),
    }
    try {
      const name = mount?.name ?? bytes.path
      this.#id = callHdf5(library, (hdf5) => hdf5.open(name, 0, false, -1, -1), this.#access)
    } catch (error) {
      mount?.[Symbol.dispose]()
      throw error
    }
  }

  /**
   * Opens a file for reading, or adds a user to one that is already open.
   * @param access.external the files that may be read for it, itself among them @default all
   * @throws ConfigError `NO_SUCH_FILE`, `INVALID_METADATA`; InfrastructureError `CORRUPT_DATA`, `IO_ERROR`
   */
  static async open(container: string, { external, ranges = {} }: Partial<FileAccess> = {}): Promise<Hdf5File> {
    const library = await loadHdf5()
    const place = isAddress(container) ? container : resolve(container)
    const bytes = await openPlace(place, external, ranges)
    // Two callers that open the same file at once share it: nothing waits between this question and its answer.
    const openOnce = (): { readonly file: Hdf5File; readonly isNew: boolean } => {
      const known = openFiles.get(keyOf(bytes, external))
      if (known !== undefined) return { file: known.retain(), isNew: false }
      const superblock = guardHeader(bytes.path, () => readSuperblock(bytes))
      assertComplete(bytes, superblock)
      const file = new Hdf5File(library, place, bytes, superblock, external)
      openFiles.set(file.#key, file)
      return { file, isNew: true }
    }
    try {
      const { file, isNew } = await withBytes(openOnce)
      if (!isNew) bytes[Symbol.dispose]()
      return file
    } catch (error) {
      bytes[Symbol.dispose]()
      throw failed(bytes.path, 'opened', error)
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
    this.#ask((hdf5) => hdf5.close_file(this.#id))
    this.#mount?.[Symbol.dispose]()
    this.bytes[Symbol.dispose]()
  }

  /** Makes a call on this file that must succeed. @throws Hdf5Failure */
  call<T>(call: (hdf5: Hdf5Library, id: bigint) => T): T {
    return callHdf5(this.library, (hdf5) => call(hdf5, this.#id), this.#access)
  }

  #ask<T>(call: (hdf5: Hdf5Library) => T): T {
    return askHdf5(this.library, call, this.#access)
  }

  kindOf(path: string): Hdf5Kind {
    try {
      return KINDS[this.call((hdf5, id) => hdf5.get_type(id, `/${path}`))] ?? 'nothing'
    } catch (error) {
      if (error instanceof AbsentBytes) throw error
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
    return this.#ask((hdf5) => hdf5.get_symbolic_link(this.#id, `/${path}`)) ?? undefined
  }

  externalLinkOf(path: string): { readonly file: string; readonly path: string } | undefined {
    const link = this.#ask((hdf5) => hdf5.get_external_link(this.#id, `/${path}`))
    return link.filename === undefined ? undefined : { file: link.filename, path: link.obj_path ?? '' }
  }

  /** The address of an object's header; the same for all hard links to one object. */
  addressOf(path: string): number {
    const bytes = Uint8Array.from(this.call((hdf5, id) => hdf5.create_object_reference(id, `/${path}`)))
    return Number(new DataView(bytes.buffer).getBigUint64(0, true))
  }

  /**
   * Reads the messages of an object's header from the file itself, bypassing HDF5.
   * @param use its file is open until the last user releases this one
   */
  inspectHeader<T>(path: string, use: (file: ByteFile, block: Superblock, messages: readonly HeaderMessage[]) => T): T {
    const address = this.addressOf(path)
    const superblock = this.#superblock
    return guardHeader(this.path, () => use(this.bytes, superblock, readObjectHeader(this.bytes, superblock, address)))
  }
}

function assertComplete({ path, byteLength }: ByteFile, superblock: Superblock | undefined): asserts superblock {
  if (superblock === undefined) {
    throw new ConfigError('INVALID_METADATA', `"${path}" is not an HDF5 file: it has no HDF5 signature.`)
  }
  if (superblock.endOfFile <= byteLength) return
  throw new InfrastructureError(
    'CORRUPT_DATA',
    `"${path}" is truncated: expected ${superblock.endOfFile} bytes, got ${byteLength}; copy it again.`,
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

async function openPlace(place: string, external: ExternalFiles | undefined, ranges: RangeOptions): Promise<ByteFile> {
  if (isAddress(place)) return openBytes(place, ranges)
  assertFile(place)
  return openBytes(place, { check: external && ((file, path) => external.assertHolds(file, path, `"${place}"`)) })
}

/** @throws ConfigError `NO_SUCH_FILE`, `INVALID_METADATA`, `UNSUPPORTED` */
function assertFile(path: string): void {
  const stat = statOf(path)
  if (stat === undefined) throw new ConfigError('NO_SUCH_FILE', `There is no file "${path}".`)
  if (stat.isDirectory()) throw new ConfigError('INVALID_METADATA', `"${path}" is a folder, not an HDF5 file.`)
  if (stat.isFile()) return
  throw new ConfigError('UNSUPPORTED', `"${path}" is a pipe or a device, not a file; check the path.`)
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch (error) {
    throw new InfrastructureError('IO_ERROR', `"${path}" can't be opened: ${(error as Error).message}.`, {
      cause: error,
    })
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
