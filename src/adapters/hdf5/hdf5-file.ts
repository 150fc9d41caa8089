import { closeSync, openSync, statSync } from 'node:fs'
import { isAbsolute, join, resolve } from 'node:path'
import { ConfigError, InfrastructureError } from '../../core/errors.ts'
import { askHdf5, callHdf5, Hdf5Failure, type Hdf5Library, loadHdf5 } from './library.ts'
import { type HeaderMessage, readObjectHeader, readSuperblock, type Superblock } from './object-header.ts'

/** What stands under a path of a file: `nothing` also for a link that leads nowhere. */
export type Hdf5Kind = 'group' | 'array' | 'type' | 'nothing'

export interface Hdf5Entry {
  readonly path: string
  readonly kind: 'array' | 'group'
}

const KINDS: Readonly<Record<number, Hdf5Kind>> = { 0: 'group', 1: 'array', 2: 'type' }

/** Links that lead on to links; HDF5 itself gives up after 16. */
const MAX_HOPS = 16

const openFiles = new Map<string, Hdf5File>()

/** One opened HDF5 file, shared by all its arrays in this thread; closed with the last of its users. */
export class Hdf5File {
  readonly path: string
  readonly library: Hdf5Library
  readonly #id: bigint
  readonly #key: string
  readonly #superblock: Superblock
  #users = 1

  private constructor(library: Hdf5Library, path: string, key: string, superblock: Superblock) {
    this.library = library
    this.path = path
    this.#key = key
    this.#superblock = superblock
    this.#id = callHdf5(library, (hdf5) => hdf5.open(path, 0, false, -1, -1))
  }

  /**
   * Opens a file for reading, or counts one more user of it.
   * @throws ConfigError `NO_SUCH_FILE`, `INVALID_METADATA`; InfrastructureError `CORRUPT_DATA`, `IO_ERROR`
   */
  static async open(container: string): Promise<Hdf5File> {
    const path = resolve(container)
    const library = await loadHdf5()
    // From here on nothing waits, so two who open the same file at once share it.
    const { key, size } = identifyFile(path)
    const known = openFiles.get(key)
    if (known !== undefined) {
      known.#users++
      return known
    }
    const superblock = withDescriptor(path, (fd) => readSuperblock(fd, size))
    if (superblock === undefined) {
      throw new ConfigError('INVALID_METADATA', `"${path}" is not an HDF5 file: it has no HDF5 signature.`)
    }
    if (superblock.endOfFile > size) {
      throw new InfrastructureError(
        'CORRUPT_DATA',
        `"${path}" is truncated: the file says ${superblock.endOfFile} bytes and has ${size}; copy it again.`,
      )
    }
    try {
      const file = new Hdf5File(library, path, key, superblock)
      openFiles.set(key, file)
      return file
    } catch (error) {
      throw failed(path, 'opened', error)
    }
  }

  /** One more user. */
  retain(): this {
    this.#users++
    return this
  }

  /** Gives up one use; the last one closes the file. */
  release(): void {
    this.#users--
    if (this.#users > 0) return
    openFiles.delete(this.#key)
    askHdf5(this.library, (hdf5) => hdf5.close_file(this.#id))
  }

  /** A call on this file that has to succeed. @throws Hdf5Failure */
  call<T>(call: (hdf5: Hdf5Library, id: bigint) => T): T {
    return callHdf5(this.library, (hdf5) => call(hdf5, this.#id))
  }

  kindOf(path: string): Hdf5Kind {
    try {
      return KINDS[this.call((hdf5, id) => hdf5.get_type(id, `/${path}`))] ?? 'nothing'
    } catch {
      // HDF5 complains about a link that leads nowhere, and then h5wasm answers with what happened to be in memory.
      return 'nothing'
    }
  }

  /** Names in a group, in its own order. */
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

  /** Groups and datasets below a group, depth first. Links are shown and not followed, so that this always ends. */
  entriesBelow(group: string, limit: number): readonly Hdf5Entry[] {
    const found: Hdf5Entry[] = []
    const seen = new Set([this.addressOf(group)])
    const visit = (parent: string): void => {
      for (const name of this.childrenOf(parent)) {
        if (found.length >= limit) return
        const path = parent === '' ? name : `${parent}/${name}`
        const kind = this.kindOf(path)
        if (kind !== 'array' && kind !== 'group') continue
        found.push({ path, kind })
        if (kind === 'array' || this.softLinkOf(path) !== undefined || this.externalLinkOf(path) !== undefined) continue
        const address = this.addressOf(path)
        if (seen.has(address)) continue
        seen.add(address)
        visit(path)
      }
    }
    visit(group)
    return found
  }

  /** Where the header of an object lies; the same for two hard links to one object. */
  addressOf(path: string): number {
    const bytes = Uint8Array.from(this.call((hdf5, id) => hdf5.create_object_reference(id, `/${path}`)))
    return Number(new DataView(bytes.buffer).getBigUint64(0, true))
  }

  /** Reads in the file itself, beside HDF5: the messages of an object's header. */
  inspectHeader<T>(path: string, use: (fd: number, block: Superblock, messages: readonly HeaderMessage[]) => T): T {
    const address = this.addressOf(path)
    return withDescriptor(this.path, (fd) => use(fd, this.#superblock, readObjectHeader(fd, this.#superblock, address)))
  }
}

/** A place in a file, behind all links. Its file has one more user. */
export interface Location {
  readonly file: Hdf5File
  readonly path: string
  readonly kind: Hdf5Kind
}

/**
 * Finds `inner`, name by name, through soft and external links; on return the caller has to release the file.
 * @throws ConfigError `NO_SUCH_FILE`, `NO_SUCH_DATASET`; and what opening throws
 */
export async function locateObject(container: string, inner: string, hops = 0): Promise<Location> {
  if (hops > MAX_HOPS) {
    throw new ConfigError('NO_SUCH_DATASET', `"${inner}" in "${container}" leads from link to link without an end.`)
  }
  const file = await Hdf5File.open(container)
  try {
    const names = splitPath(inner)
    let path = ''
    for (const [depth, name] of names.entries()) {
      const parent = path
      path = parent === '' ? name : `${parent}/${name}`
      if (file.kindOf(parent) !== 'group' || !file.childrenOf(parent).includes(name)) throw missing(file, path, inner)
      const rest = names.slice(depth + 1)
      const soft = file.softLinkOf(path)
      if (soft !== undefined) {
        const target = [...(soft.startsWith('/') ? [] : splitPath(parent)), ...splitPath(soft), ...rest].join('/')
        return await follow(`the soft link "${path}"`, container, target, hops)
      }
      const external = file.externalLinkOf(path)
      if (external !== undefined) {
        const target = isAbsolute(external.file) ? external.file : join(file.path, '..', external.file)
        return await follow(
          `the external link "${path}"`,
          target,
          [...splitPath(external.path), ...rest].join('/'),
          hops,
        )
      }
    }
    return { file: file.retain(), path, kind: file.kindOf(path) }
  } finally {
    file.release()
  }
}

async function follow(link: string, container: string, inner: string, hops: number): Promise<Location> {
  try {
    return await locateObject(container, inner, hops + 1)
  } catch (error) {
    // The first link is the one that the caller named.
    if (hops > 0 || !(error instanceof ConfigError)) throw error
    throw new ConfigError(error.code, `${error.message} (by ${link})`, { cause: error })
  }
}

/** "a/b" of "/a//b/" and "./a/b": HDF5 knows no "..". */
const splitPath = (path: string): string[] => path.split('/').filter((name) => name !== '' && name !== '.')

function missing(file: Hdf5File, path: string, wanted: string): ConfigError {
  return new ConfigError(
    'NO_SUCH_DATASET',
    `"${file.path}" has no "${path}"${path === wanted ? '' : ` (looking for "${wanted}")`}; ${showDatasets(file, '')}.`,
  )
}

/** What a message says about the datasets of a group: "it has a, b, c". */
export function showDatasets(file: Hdf5File, group: string): string {
  const found = file.entriesBelow(group, 200).filter((entry) => entry.kind === 'array')
  if (found.length === 0) return 'it has no datasets'
  const shown = found.slice(0, 12).map((entry) => entry.path)
  return `it has ${shown.join(', ')}${found.length > shown.length ? ', …' : ''}`
}

/** A failed call as an error of ours, with HDF5's own words. @param what 'opened', 'read', … */
export function failed(path: string, what: string, error: unknown): Error {
  if (!(error instanceof Hdf5Failure)) return error as Error
  const cause = new Error(error.report === '' ? error.message : error.report.trimEnd())
  // HDF5 reports a failed system call with its number: that is the disk, not the bytes on it.
  const code = /errno = [1-9]/.test(error.report) ? 'IO_ERROR' : 'CORRUPT_DATA'
  return new InfrastructureError(code, `"${path}" can't be ${what}; HDF5 says: ${error.message}.`, { cause })
}

function identifyFile(path: string): { readonly key: string; readonly size: number } {
  try {
    const stat = statSync(path, { bigint: true })
    if (stat.isDirectory()) {
      throw new ConfigError('INVALID_METADATA', `"${path}" is a folder, not an HDF5 file.`)
    }
    // The inode tells a file that was replaced meanwhile from the one that is open under the same name.
    return { key: `${stat.dev}/${stat.ino}/${path}`, size: Number(stat.size) }
  } catch (error) {
    throw systemError(path, error)
  }
}

function withDescriptor<T>(path: string, use: (fd: number) => T): T {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch (error) {
    throw systemError(path, error)
  }
  try {
    return use(fd)
  } finally {
    closeSync(fd)
  }
}

function systemError(path: string, error: unknown): Error {
  const code = (error as NodeJS.ErrnoException).code
  if (error instanceof ConfigError) return error
  if (code === 'ENOENT' || code === 'ENOTDIR') return new ConfigError('NO_SUCH_FILE', `There is no file "${path}".`)
  return new InfrastructureError('IO_ERROR', `"${path}" can't be opened: ${(error as Error).message}.`, {
    cause: error,
  })
}
