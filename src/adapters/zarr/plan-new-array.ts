import { ConfigError } from '../../core/errors.ts'
import type { ArrayAxis, CreateArrayOptions } from '../../ports/chunked-array.ts'
import { addressWritten, alreadyExists } from './container-errors.ts'
import type { GroupMetadata } from './metadata/group-metadata.ts'
import { listNodes, readNode } from './metadata/hierarchy.ts'
import type { ZarrMetadata } from './metadata/metadata.ts'
import { axesFor, newMetadata } from './metadata/new-metadata.ts'
import { parentKey, type Store, type StoreEntry } from './store.ts'

/** What creating an array will do, after all checks. */
export interface CreatePlan {
  readonly metadata: ZarrMetadata
  readonly axes: readonly ArrayAxis[]
  /** Name of the array in the same group whose pyramid it joins. */
  readonly levelOf?: string | undefined
  /** What the groups in and below one of the container get, those that exist only what they lack. */
  readonly groups?: { readonly key: string; readonly metadata: readonly GroupMetadata[] } | undefined
  /** Keys of groups to create, outermost first. */
  readonly newGroups: readonly string[]
  readonly existing: 'none' | 'replace'
}

/**
 * Checks a new array and its place; writes nothing.
 * @param key of the array, '' for the container itself
 * @param path as users write it, for messages
 * @throws ConfigError `INVALID_CONFIG`, `RANK_MISMATCH`, `UNSUPPORTED`, `UNSUPPORTED_CODEC`, `DATASET_EXISTS`, `NOT_A_DATASET`, `UNKNOWN_FORMAT`
 */
export async function planNewArray(
  store: Store,
  key: string,
  path: string,
  options: CreateArrayOptions,
): Promise<CreatePlan> {
  const isNew = await checkContainer(store)
  const { newGroups, zarrFormat: found } = await checkParents(store, key, path, isNew)
  const zarrFormat = chooseFormat(path, options, found)
  const axes = axesFor(options, path)
  const metadata = newMetadata(path, zarrFormat, axes, options)
  const planned = { metadata, axes, newGroups, levelOf: options.levelOf }
  const existing = isNew ? undefined : await readNode(store, key)
  if (existing === undefined) {
    if (key !== '') await refuseFolder(store, key, path)
    return { ...planned, existing: 'none' }
  }
  if (existing.kind === 'group') {
    // Replacing a group would remove arrays that the caller did not name.
    const isEmpty = (await listNodes(store, key, 1)).length === 0
    const what = isEmpty ? 'an empty group' : 'a group that contains other arrays'
    throw new ConfigError(
      'DATASET_EXISTS',
      `${path} is ${what}, and groups are never overwritten; choose another name, or remove it.`,
    )
  }
  if (options.ifExists === 'replace') return { ...planned, existing: 'replace' }
  throw alreadyExists(path)
}

/** @returns whether the container is new */
async function checkContainer(store: Store): Promise<boolean> {
  if (!store.writable) throw addressWritten(store.where(''))
  const entries = await store.list('')
  if (entries === undefined || entries.length === 0) return true
  const isZarr = entries.some(({ name }) => ['zarr.json', '.zgroup', '.zarray'].includes(name))
  if (isZarr || (await listNodes(store, '', 1)).length > 0) return false
  throw new ConfigError(
    'UNKNOWN_FORMAT',
    `${store.where('')} exists and is not a Zarr container (it contains ${firstNames(entries)}); choose another name.`,
  )
}

async function checkParents(store: Store, key: string, path: string, isNew: boolean) {
  const parents: string[] = []
  for (let parent = key; parent !== ''; ) parents.unshift((parent = parentKey(parent)))
  const newGroups: string[] = []
  let zarrFormat: 2 | 3 | undefined
  for (const parent of parents) {
    const node = isNew ? undefined : await readNode(store, parent)
    if (node?.kind === 'array') {
      throw new ConfigError(
        'NOT_A_DATASET',
        `${path} can't be created: ${store.where(parent)} is an array, not a group; choose another place.`,
      )
    }
    if (node === undefined) newGroups.push(parent)
    else zarrFormat = node.zarrFormat
  }
  return { newGroups, zarrFormat }
}

function chooseFormat(path: string, options: CreateArrayOptions, found: 2 | 3 | undefined): 2 | 3 {
  const wanted = options.zarrFormat ?? found ?? 3
  if (found !== undefined && wanted !== found) {
    throw new ConfigError(
      'UNSUPPORTED',
      `${path}: its group is Zarr ${found} and can't contain a Zarr ${wanted} array; write Zarr ${found}, or use another container.`,
    )
  }
  if (wanted === 2 && options.shardShape !== undefined) {
    throw new ConfigError(
      'UNSUPPORTED',
      `${path}: Zarr 2 has no shards; omit the shard shape, or use a Zarr 3 container.`,
    )
  }
  return wanted
}

async function refuseFolder(store: Store, key: string, path: string): Promise<void> {
  const entries = await store.list(key)
  if (entries === undefined || entries.length === 0 || (await listNodes(store, key, 1)).length > 0) return
  throw new ConfigError(
    'UNKNOWN_FORMAT',
    `${path} exists and is not an array (it contains ${firstNames(entries)}); choose another name, or remove it.`,
  )
}

const firstNames = (entries: readonly StoreEntry[]): string =>
  entries
    .slice(0, 3)
    .map(({ name }) => name)
    .join(', ')
