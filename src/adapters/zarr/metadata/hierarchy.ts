import { ConfigError } from '../../../core/errors.ts'
import { joinKey, type Store } from '../store.ts'
import { isJsonObject, type JsonObject, show } from './exact-json.ts'
import { parseJsonObject, type ZarrMetadata } from './metadata.ts'
import { parseV2Metadata } from './metadata-v2.ts'
import { parseV3Metadata } from './metadata-v3.ts'
import { multiscalesOf } from './ome.ts'
import { asJsonObject } from './placement-attributes.ts'

/** What lies at a key of a container. */
export type ZarrNode =
  | { readonly kind: 'array'; readonly metadata: ZarrMetadata }
  | { readonly kind: 'group'; readonly zarrFormat: 2 | 3; readonly attributes: JsonObject; readonly json: JsonObject }

/**
 * The array or group at a key, or undefined if there is neither. If both versions are present, version 3 is used.
 * @throws ConfigError `INVALID_METADATA`, `UNSUPPORTED`, `UNSUPPORTED_CODEC`
 */
export async function readNode(store: Store, key: string): Promise<ZarrNode | undefined> {
  const keys = ['zarr.json', '.zarray', '.zgroup', '.zattrs'].map((name) => joinKey(key, name))
  const [v3File, arrayFile, groupFile, attributesFile] = keys.map((name) => store.where(name)) as [
    string,
    string,
    string,
    string,
  ]
  // Where answers take their time, all files are asked for at once.
  const together = store.isFast?.() ? 1 : keys.length
  const found = await Promise.all(keys.slice(0, together).map((file) => store.get(file)))
  if (found[0] !== undefined) return v3Node(parseJsonObject(found[0], v3File), v3File)
  found.push(...(await Promise.all(keys.slice(together).map((file) => store.get(file)))))
  const [, v2Array, v2Group, v2Attributes] = found
  const attributes = () => (v2Attributes === undefined ? {} : parseJsonObject(v2Attributes, attributesFile))
  if (v2Array !== undefined) {
    return { kind: 'array', metadata: parseV2Metadata(parseJsonObject(v2Array, arrayFile), attributes(), arrayFile) }
  }
  if (v2Group === undefined) return undefined
  return { kind: 'group', zarrFormat: 2, attributes: attributes(), json: parseJsonObject(v2Group, groupFile) }
}

function v3Node(json: JsonObject, where: string): ZarrNode {
  if (json.node_type === 'array') return { kind: 'array', metadata: parseV3Metadata(json, where) }
  if (json.node_type === 'group') {
    return { kind: 'group', zarrFormat: 3, attributes: asJsonObject(json.attributes), json }
  }
  throw new ConfigError('INVALID_METADATA', `${where}: node_type is ${show(json.node_type)}, not "array" or "group".`)
}

export interface ListedNode {
  /** Relative to the container's root. */
  readonly path: string
  readonly kind: 'array' | 'group'
}

/** The arrays and groups below a key, depth first, at most `limit`. */
export async function listNodes(store: Store, key: string, limit: number): Promise<ListedNode[]> {
  const found: ListedNode[] = []
  const entries = await store.list(key)
  if (entries === undefined) return (await listConsolidated(store, key)).slice(0, limit)
  for (const { name, isFolder } of entries) {
    if (found.length >= limit) break
    if (!isFolder || name.startsWith('.')) continue
    const path = joinKey(key, name)
    const kind = await kindOf(store, path)
    if (kind !== undefined) found.push({ path, kind })
    // Below an array there are only chunks; a folder without metadata may still contain arrays of old writers.
    if (kind !== 'array') found.push(...(await listNodes(store, path, limit - found.length)))
  }
  return found
}

async function kindOf(store: Store, key: string): Promise<'array' | 'group' | undefined> {
  const names = new Set((await store.list(key))?.map((entry) => entry.name))
  if (names.has('zarr.json')) {
    const file = joinKey(key, 'zarr.json')
    const bytes = await store.get(file)
    return bytes && parseJsonObject(bytes, store.where(file)).node_type === 'array' ? 'array' : 'group'
  }
  return names.has('.zarray') ? 'array' : names.has('.zgroup') ? 'group' : undefined
}

/** Listing is impossible over http, but the container's consolidated metadata may name its arrays. */
async function listConsolidated(store: Store, key: string): Promise<ListedNode[]> {
  const below = (path: string) => path !== '' && (key === '' || path.startsWith(`${key}/`))
  const root = await store.get('zarr.json')
  if (root !== undefined) {
    const inline = asJsonObject(
      asJsonObject(parseJsonObject(root, store.where('zarr.json')).consolidated_metadata).metadata,
    )
    return Object.entries(inline)
      .filter(([path]) => below(path))
      .map(([path, json]) => ({ path, kind: isJsonObject(json) && json.node_type === 'array' ? 'array' : 'group' }))
  }
  const file = await store.get('.zmetadata')
  if (file === undefined) return []
  const keys = Object.keys(asJsonObject(parseJsonObject(file, store.where('.zmetadata')).metadata))
  return keys.flatMap((name): ListedNode[] => {
    const match = /^(.*)\/\.z(array|group)$/.exec(name)
    return match !== null && below(match[1] as string)
      ? [{ path: match[1] as string, kind: match[2] as 'array' | 'group' }]
      : []
  })
}

/** The path, below a group, of the array that opening the group returns: the finest array of its only pyramid. */
export function finestDataset(attributes: JsonObject): string | undefined {
  const [multiscale, ...more] = multiscalesOf(attributes)
  const [first] = multiscale !== undefined && Array.isArray(multiscale.datasets) ? multiscale.datasets : []
  return more.length === 0 && isJsonObject(first) && typeof first.path === 'string' ? first.path : undefined
}
