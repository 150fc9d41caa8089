import { statSync } from 'node:fs'
import { ConfigError } from '../../core/errors.ts'
import { given } from '../../core/given.ts'
import { isAddress } from '../../core/text/address.ts'
import type { ChunkedArray, OpenArrayOptions } from '../../ports/chunked-array.ts'
import type { HttpOptions } from '../http/http-attempts.ts'
import { isObjectAddress } from '../objects/object-address.ts'
import { type FileStoreOptions, fileStore } from './files/file-store.ts'
import { httpStore } from './http/http-store.ts'
import { objectGuard } from './objects/object-marks.ts'
import { type ObjectStoreOptions, objectStore } from './objects/object-store.ts'
import type { Store } from './store.ts'
import { writeGuard } from './write-guard.ts'
import { ZIP_SUFFIX, zipStore } from './zip/zip-store.ts'

/** The options of formats whose arrays are files in a container. */
export interface ContainerOptions {
  /** For containers at http(s) addresses. */
  readonly http?: HttpOptions
  /** For containers in object stores. */
  readonly objects?: Omit<ObjectStoreOptions, 'guard'>
  /** Whether files outside a container may be read, if symbolic links of it lead there. @default no */
  readonly allowExternal?: () => boolean
  /** Whether chunks are written that have the fill value alone. @default no: a missing chunk reads the same */
  readonly writesEmpty?: () => boolean
}

/** Whether a container is one file: a folder may have any name. */
export const isZip = (container: string): boolean =>
  ZIP_SUFFIX.test(container.replace(/\?.*$/, '')) &&
  (isAddress(container) || statSync(container, { throwIfNoEntry: false })?.isDirectory() !== true)

/** How the store of a container is made. */
export interface StoreOptions extends Omit<FileStoreOptions, 'guard'>, Pick<ContainerOptions, 'http' | 'objects'> {
  /** Called before something is written or removed; throws if it must not be. */
  readonly guard?: (() => void) | (() => Promise<void>)
}

/**
 * The store of a container: a folder, a zip file, an http(s) address, or a place in an object store.
 * @throws ConfigError `UNSUPPORTED` for a zip file at an address
 */
export function containerStore(container: string, { http, objects, guard, ...files }: StoreOptions = {}): Store {
  if (isZip(container)) {
    if (!isAddress(container)) return zipStore(container)
    throw new ConfigError(
      'UNSUPPORTED',
      `${container.replace(/\?.*$/, '')} is a zip file behind an address, and zip files can only be read from disks; download it first.`,
    )
  }
  if (isObjectAddress(container))
    return objectStore(container, { ...objects, ...given({ guard: guard as (() => Promise<void>) | undefined }) })
  if (isAddress(container)) return httpStore(container, http)
  return fileStore(container, { ...files, ...given({ guard: guard as (() => void) | undefined }) })
}

/** Makes the stores of containers. @param inner the path in the container as the user wrote it */
export class ContainerStores {
  readonly #options: ContainerOptions

  constructor(options: ContainerOptions) {
    this.#options = options
  }

  open(
    container: string,
    inner: string,
    options: Pick<OpenArrayOptions, 'fsync' | 'allowExternal'> & Pick<StoreOptions, 'guard'> = {},
  ): Store {
    const { http, objects, allowExternal } = this.#options
    const { fsync, guard, allowExternal: isAllowed = allowExternal?.() ?? false } = options
    return containerStore(container, {
      ...given({ http, objects, fsync, guard }),
      ...(isAllowed ? {} : { insideOf: inner }),
    })
  }

  /** The store for an array in a folder that another run may take: nothing is written from then on. @returns undefined without an owner */
  guarded(container: string, inner: string, options: OpenArrayOptions, folder: string): Store | undefined {
    const { owner, lease, owns } = options
    if (owner === undefined || owns?.(folder) === false) return undefined
    const nameOwner = typeof owner === 'function' ? owner : () => owner
    const guard = isObjectAddress(container) ? objectGuard(folder, nameOwner) : writeGuard(folder, nameOwner, lease)
    return this.open(container, inner, { ...options, guard })
  }
}

/**
 * Makes an array, or takes one that is there already. Another process may make it before this one gets the lock of the container.
 * @param steps `existing` opens the array that may be taken; `plan` checks the place of a new one, and writes nothing
 */
export async function createOnce<Plan>(
  store: Store,
  steps: {
    existing(): Promise<ChunkedArray | undefined>
    plan(): Promise<Plan>
    make(plan: Plan): Promise<ChunkedArray>
  },
): Promise<ChunkedArray> {
  const there = await steps.existing()
  if (there !== undefined) return there
  await steps.plan()
  await using _groups = await store.lockGroups?.()
  return (await steps.existing()) ?? (await steps.make(await steps.plan()))
}
