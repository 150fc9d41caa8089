import { statSync } from 'node:fs'
import { ConfigError } from '../../core/errors.ts'
import { type FileStoreOptions, fileStore } from './files/file-store.ts'
import { type HttpStoreOptions, httpStore } from './http/http-store.ts'
import type { Store } from './store.ts'
import { ZIP_SUFFIX, zipStore } from './zip/zip-store.ts'

export const isAddress = (container: string): boolean => /^https?:\/\//i.test(container)

/** Whether a container is one file: a folder may have any name. */
export const isZip = (container: string): boolean =>
  ZIP_SUFFIX.test(container.replace(/\?.*$/, '')) &&
  (isAddress(container) || statSync(container, { throwIfNoEntry: false })?.isDirectory() !== true)

/** The store of a container: a folder, a zip file, or an http(s) address. @throws ConfigError `UNSUPPORTED` for a zip file at an address */
export function containerStore(container: string, files: FileStoreOptions, http?: HttpStoreOptions): Store {
  if (!isZip(container)) return isAddress(container) ? httpStore(container, http) : fileStore(container, files)
  if (!isAddress(container)) return zipStore(container)
  throw new ConfigError(
    'UNSUPPORTED',
    `${container.replace(/\?.*$/, '')} is a zip file behind an address, and zip files can only be read from disks; download it first.`,
  )
}
