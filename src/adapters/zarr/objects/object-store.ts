import { InfrastructureError } from '../../../core/errors.ts'
import type { FoundObject, GetObject, ObjectBucket } from '../../../ports/object-bucket.ts'
import { openBucket } from '../../buckets/open-bucket.ts'
import { ChangedObject } from '../../files/object-errors.ts'
import { type ObjectAddress, parseObjectAddress, showObjectAddress } from '../../objects/object-address.ts'
import type { ObjectOptions } from '../../objects/object-request.ts'
import { partReader } from '../http/http-parts.ts'
import {
  joinKey,
  MAX_METADATA_BYTES,
  type PartReader,
  REQUEST_GAP_BYTES,
  type Store,
  TEMPORARY_PREFIX,
} from '../store.ts'
import { awaitObjectLock } from './object-lock.ts'

export interface ObjectStoreOptions extends ObjectOptions {
  /** Called before an object is written or removed; if it throws, nothing is. */
  readonly guard?: (() => Promise<void>) | undefined
}

/** Of a container, while a process changes its groups: the metadata of a group name its arrays. */
const GROUPS_LOCK = `${TEMPORARY_PREFIX}groups-lock`

/** What makes an array one: removed before its chunks, so that nobody sees a half-removed array. */
const METADATA = ['zarr.json', '.zarray', 'attributes.json', 'info']

/** The place of a path in a bucket. */
export interface ObjectPlace {
  readonly bucket: ObjectBucket
  readonly address: ObjectAddress
}

/** @throws ConfigError `INVALID_CONFIG` */
export function objectPlace(path: string, options: ObjectOptions = {}): ObjectPlace {
  const address = parseObjectAddress(path)
  return { address, bucket: openBucket(address, options) }
}

/** A container in an object store. Objects are written as a whole, so a reader sees the old one or the new one. */
export function objectStore(container: string, { guard, ...options }: ObjectStoreOptions = {}): Store {
  const { bucket, address } = objectPlace(container, options)
  const keyOf = (key: string) => joinKey(address.key, key)
  const where = (key: string) => showObjectAddress({ ...address, key: keyOf(key) })
  return {
    writable: true,
    where,
    gapBytes: REQUEST_GAP_BYTES,
    async get(key, { into, signal, atMost = MAX_METADATA_BYTES } = {}) {
      const found = await bucket.get(keyOf(key), { into, signal, atMost })
      return typeof found === 'object' ? found.body : undefined
    },
    async lend(key, { known, atMost = MAX_METADATA_BYTES }, use) {
      const found = await bucket.get(keyOf(key), { unless: known, atMost })
      if (found === 'same') return 'same'
      // Without a tag, it is another version each time.
      return typeof found === 'object' ? { used: await use(found.body, found.version ?? '') } : undefined
    },
    open: async (key, { signal, atMost = MAX_METADATA_BYTES } = {}) =>
      partsOf(where(key), (part) => bucket.get(keyOf(key), { ...part, signal, atMost })),
    async put(key, parts) {
      await bucket.put(keyOf(key), parts, { before: guard })
    },
    async remove(key) {
      await guard?.()
      await removeTree(bucket, keyOf(key), guard)
    },
    lockGroups: () => awaitObjectLock(bucket, keyOf(GROUPS_LOCK), where(GROUPS_LOCK)),
    async list(key) {
      const prefix = keyOf(key) === '' ? '' : `${keyOf(key)}/`
      const { objects, folders } = await bucket.list(prefix)
      const entries = [
        ...folders.map((name) => ({ name: name.slice(prefix.length, -1), isFolder: true })),
        ...objects.map((name) => ({ name: name.slice(prefix.length), isFolder: false })),
      ]
      const shown = entries.filter(({ name }) => name !== '' && !name.startsWith(TEMPORARY_PREFIX))
      return shown.length === 0 ? undefined : shown.sort((a, b) => (a.name < b.name ? -1 : 1))
    },
  }
}

type GetPart = (part: Pick<GetObject, 'range' | 'of'>) => Promise<FoundObject | 'missing' | 'changed' | 'same'>

/** Parts of one version of an object. */
const partsOf = (where: string, get: GetPart): PartReader =>
  partReader(async (range, of) => {
    const found = await get({ range, of: of?.value })
    if (found === 'missing') return undefined
    if (typeof found === 'string') throw new ChangedObject(where)
    const { body, version } = found
    return { body, isPart: true, ...(version === undefined ? {} : { version: { header: 'etag', value: version } }) }
  }, where)

/** Removes an object and all below it: what makes arrays first, outermost first. */
async function removeTree(bucket: ObjectBucket, key: string, guard: (() => Promise<void>) | undefined): Promise<void> {
  if (key === '') throw new InfrastructureError('IO_ERROR', 'A whole bucket is never removed.')
  const { objects } = await bucket.list(`${key}/`, { isDeep: true })
  const isMetadata = (name: string) => METADATA.includes(name.slice(name.lastIndexOf('/') + 1))
  await bucket.remove(key, guard)
  for (const name of objects.filter(isMetadata)) await bucket.remove(name, guard)
  await bucket.removeAll(objects.filter((name) => !isMetadata(name)))
}

/** The version of an object. @returns undefined if there is none @throws InfrastructureError `UNAUTHORIZED`, `IO_ERROR` */
export async function objectVersion(path: string, signal: AbortSignal): Promise<string | undefined> {
  const { bucket, address } = objectPlace(path, { retries: 0 })
  const found = await bucket.get(address.key, { range: 'bytes=0-0', signal, atMost: MAX_METADATA_BYTES })
  return typeof found === 'object' ? found.version : undefined
}
