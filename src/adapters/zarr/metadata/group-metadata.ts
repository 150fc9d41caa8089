import { joinKey, type Store } from '../store.ts'
import { isJsonObject, type Json, type JsonObject } from './exact-json.ts'
import { listNodes, readNode } from './hierarchy.ts'

/** More groups than a plate of 1536 wells has, with its wells, fields and labels. */
const MAX_GROUPS = 100_000

/** What a group holds besides its arrays. */
export interface GroupMetadata {
  /** Below the outermost group; '' for that itself. */
  readonly path: string
  readonly attributes: JsonObject
  /** Files with metadata in other formats than Zarr's: by name. */
  readonly files: readonly (readonly [string, Uint8Array])[]
}

/** The metadata of a group and of all groups in it, outermost first. */
export async function readGroups(store: Store, key: string): Promise<GroupMetadata[]> {
  const below = (await listNodes(store, key, MAX_GROUPS)).filter(({ kind }) => kind === 'group')
  const found: GroupMetadata[] = []
  for (const group of [key, ...below.map(({ path }) => path)]) {
    const node = await readNode(store, group)
    if (node?.kind !== 'group') continue
    const path = group === key ? '' : key === '' ? group : group.slice(key.length + 1)
    found.push({ path, attributes: node.attributes, files: await omeFiles(store, group) })
  }
  return found
}

/** The original metadata of a microscope, as bioformats2raw keeps them. */
async function omeFiles(store: Store, group: string): Promise<(readonly [string, Uint8Array])[]> {
  const files: (readonly [string, Uint8Array])[] = []
  for (const { name, isFolder } of (await store.list(group)) ?? []) {
    if (isFolder || !name.endsWith('.ome.xml')) continue
    const bytes = await store.get(joinKey(group, name))
    if (bytes !== undefined) files.push([name, bytes])
  }
  return files
}

/** What OME-NGFF defines, up to version 0.5. */
export const OME_KEYS = [
  'multiscales',
  'omero',
  'labels',
  'image-label',
  'plate',
  'well',
  'series',
  'bioformats2raw.layout',
]
/** Of these, the ones with a version of their own in Zarr 2. */
const VERSIONED = ['multiscales', 'image-label', 'plate', 'well']

/**
 * The attributes of a group in a container of either version: in Zarr 2, OME-NGFF 0.4 is among them; in Zarr 3, version 0.5 has an
 * attribute of its own. Multiscales without axes, and metadata of other versions, are left out.
 */
export function attributesAs(attributes: JsonObject, zarrFormat: 2 | 3): JsonObject {
  const { ome: nested, ...rest } = attributes
  const isNested = isJsonObject(nested)
  const others = isNested ? rest : without(attributes, OME_KEYS)
  if (isNested && nested.version !== '0.5') return others
  const source = isNested ? nested : attributes
  const ome: Record<string, Json> = {}
  for (const key of OME_KEYS) {
    const value = source[key]
    if (value === undefined || (key === 'multiscales' && !haveAxes(value))) continue
    ome[key] = withVersion(value, zarrFormat === 2 && VERSIONED.includes(key) ? '0.4' : undefined)
  }
  if (Object.keys(ome).length === 0) return others
  return zarrFormat === 2 ? { ...others, ...ome } : { ...others, ome: { version: '0.5', ...ome } }
}

/** The attributes of a group that is there, with those of another one that it does not have. */
export function mergedAttributes(own: JsonObject, more: JsonObject): JsonObject {
  const merged = { ...more, ...own }
  return isJsonObject(own.ome) && isJsonObject(more.ome) ? { ...merged, ome: { ...more.ome, ...own.ome } } : merged
}

const without = (object: JsonObject, names: readonly string[]): JsonObject =>
  Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)))

const haveAxes = (multiscales: Json): boolean =>
  Array.isArray(multiscales) && multiscales.every((entry) => isJsonObject(entry) && Array.isArray(entry.axes))

function withVersion(value: Json, version: string | undefined): Json {
  if (Array.isArray(value)) return value.map((entry: Json) => withVersion(entry, version))
  if (!isJsonObject(value)) return value
  const bare = without(value, ['version'])
  return version === undefined ? bare : { version, ...bare }
}
