import fs from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { InfrastructureError } from '../../../core/errors.ts'
import { liesBelow, placeOf } from '../../files/open-file.ts'
import type { FilePace } from './file-pace.ts'

const realpath = promisify(fs.realpath.native)

/** Folders that are remembered; a chunk is then one look-up. */
const MAX_FOLDERS = 10_000

/**
 * Tells whether files lie in a container, wherever symbolic links lead. The container itself and each folder on the path that the user
 * wrote may be links: those are the user's own choice. What a container from somebody else links to is not.
 */
export class InsideContainer {
  /** As `join` writes it, so that the folders of its files end there. */
  readonly #container: string
  readonly #written: readonly string[]
  readonly #known = new Set<string>()
  readonly #pace: FilePace
  #roots: readonly string[] = []

  /**
   * @param inner the path in the container as the user wrote it
   * @param pace of the calls for its files
   */
  constructor(container: string, inner: string, pace: FilePace) {
    this.#pace = pace
    this.#container = dirname(join(container, 'x'))
    const names = inner.split('/').filter((name) => name !== '')
    this.#written = [container, ...names.map((_, count) => join(container, ...names.slice(0, count + 1)))]
  }

  async hasFolder(folder: string): Promise<boolean> {
    if (this.#known.has(folder)) return true
    const real = await this.#realPath(folder)
    // A folder that does not exist has nothing to protect, and may be made soon.
    if (real === undefined) return true
    if (!(await this.#contains(real))) return false
    if (this.#known.size >= MAX_FOLDERS) this.#known.clear()
    this.#known.add(folder)
    return true
  }

  /** Whether `hasFolder` has found the folder of a file to be inside; then it answers without a look at the file system. */
  knowsFolderOf(path: string): boolean {
    return this.#known.has(dirname(path))
  }

  /** @param file in the folder, for messages @throws InfrastructureError `IO_ERROR` for a folder that leads out */
  async assertFolder(folder: string, file: string): Promise<void> {
    if (!(await this.hasFolder(folder))) throw outside('read', file)
  }

  /**
   * Checks the place of a file that is written or removed: its folder, or the innermost one above it that exists, in which its folder is made.
   * @throws InfrastructureError `IO_ERROR` if that leads out
   */
  async assertPlace(path: string, action: 'write' | 'remove'): Promise<void> {
    // What is removed is looked for each time: no file is opened whose place would tell.
    if (action === 'remove') this.#known.delete(dirname(path))
    if (this.knowsFolderOf(path)) return
    let folder = dirname(path)
    while (folder !== this.#container && (await this.#realPath(folder)) === undefined) folder = dirname(folder)
    if (!(await this.hasFolder(folder))) throw outside(action, path)
  }

  /** The file behind a symbolic link. @throws InfrastructureError `IO_ERROR` if it lies elsewhere */
  async resolveLink(path: string): Promise<string> {
    const real = await realpath(path)
    if (!(await this.#contains(real))) throw outside('read', path)
    return real
  }

  /**
   * Whether an open file is known to lie inside: since its folder was looked at, a link may have been put in place of it, or of one above.
   * Elsewhere than on Linux, that is not known.
   */
  holds(file: number): boolean {
    const place = placeOf(file)
    return place === undefined || this.#roots.some((root) => isInside(place, root))
  }

  /** @param path of an open file, for messages @throws InfrastructureError `IO_ERROR` if it lies elsewhere */
  async assertHolds(file: number, path: string, action: 'read' | 'write'): Promise<void> {
    const place = placeOf(file)
    if (place !== undefined && !(await this.#contains(place))) throw outside(action, path)
  }

  /** @returns undefined if there is nothing, or it can't be looked at */
  async #realPath(path: string): Promise<string | undefined> {
    if (!this.#pace.callsHere()) return realpath(path).catch(() => undefined)
    const start = performance.now()
    try {
      return fs.realpathSync.native(path)
    } catch {
      return undefined
    } finally {
      this.#pace.note(performance.now() - start, 0)
    }
  }

  async #contains(real: string): Promise<boolean> {
    if (this.#roots.some((root) => isInside(real, root))) return true
    // Some may have been made meanwhile.
    const roots = await Promise.all(this.#written.map((path) => this.#realPath(path)))
    this.#roots = roots.filter((root) => root !== undefined)
    return this.#roots.some((root) => isInside(real, root))
  }
}

const isInside = (path: string, root: string): boolean => path === root || liesBelow(path, root)

const outside = (action: 'read' | 'write' | 'remove', path: string): InfrastructureError =>
  new InfrastructureError(
    'IO_ERROR',
    `Can't ${action} ${path}: a symbolic link leads out of its container; if you trust the container, allow that with --allow-external.`,
  )
