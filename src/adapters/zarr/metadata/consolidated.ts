import { joinKey, parentKey, type Store } from '../store.ts'
import { type JsonObject, stringifyJson } from './exact-json.ts'
import { parseJsonObject } from './metadata.ts'
import { asJsonObject } from './placement-attributes.ts'

/** Metadata files that were written, by key: `.zattrs`, `.zarray`, `zarr.json`. */
export type WrittenMetadata = ReadonlyMap<string, JsonObject>

/**
 * Brings the consolidated metadata of the groups above an array up to date: readers that trust it would not see the new array.
 * Groups without consolidated metadata get none. Entries of an older array in this place are removed.
 * @param key of the array
 */
export async function refreshConsolidated(store: Store, key: string, written: WrittenMetadata): Promise<void> {
  for (let group = key; group !== ''; ) {
    group = parentKey(group)
    await refreshV2(store, group, key, written)
    await refreshV3(store, group, key, written)
  }
}

const below = (group: string, key: string): string => (group === '' ? key : key.slice(group.length + 1))

const relative = (group: string, written: WrittenMetadata): [string, JsonObject][] =>
  [...written].flatMap(([key, json]): [string, JsonObject][] =>
    group === '' || key.startsWith(`${group}/`) ? [[below(group, key), json]] : [],
  )

async function refreshV2(store: Store, group: string, key: string, written: WrittenMetadata): Promise<void> {
  const file = joinKey(group, '.zmetadata')
  const bytes = await store.get(file)
  if (bytes === undefined) return
  const json = parseJsonObject(bytes, store.where(file))
  const gone = `${below(group, key)}/`
  const kept = Object.entries(asJsonObject(json.metadata)).filter(([name]) => !name.startsWith(gone))
  const metadata = { ...Object.fromEntries(kept), ...Object.fromEntries(relative(group, written)) }
  await store.put(file, [new TextEncoder().encode(stringifyJson({ ...json, metadata }))])
}

async function refreshV3(store: Store, group: string, key: string, written: WrittenMetadata): Promise<void> {
  const file = joinKey(group, 'zarr.json')
  const bytes = await store.get(file)
  const json = bytes && parseJsonObject(bytes, store.where(file))
  if (json === undefined || asJsonObject(json.consolidated_metadata).metadata === undefined) return
  const consolidated = asJsonObject(json.consolidated_metadata)
  const gone = below(group, key)
  const kept = Object.entries(asJsonObject(consolidated.metadata)).filter(([name]) => name !== gone)
  const fresh = relative(group, written)
    .filter(([name]) => name !== 'zarr.json')
    .map(([name, node]): [string, JsonObject] => [parentKey(name), node])
  const metadata = { ...Object.fromEntries(kept), ...Object.fromEntries(fresh) }
  const changed = { ...json, consolidated_metadata: { ...consolidated, metadata } }
  await store.put(file, [new TextEncoder().encode(stringifyJson(changed))])
}
