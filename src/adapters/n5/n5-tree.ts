import { ConfigError } from '../../core/errors.ts'
import { leadsOut } from '../zarr/container-errors.ts'
import type { JsonObject } from '../zarr/metadata/exact-json.ts'
import { parseJsonObject } from '../zarr/metadata/metadata.ts'
import { joinKey, type Store } from '../zarr/store.ts'
import { isN5Dataset } from './n5-metadata.ts'

/** The key of a path inside a container. @throws ConfigError `INVALID_CONFIG` for names that can't belong to a dataset */
export function parseKey(inner: string): string {
  const names = inner.split('/').filter((name) => name !== '' && name !== '.')
  const wrong = names.find((name) => /^\.|\\/.test(name) || name === 'attributes.json')
  if (wrong === undefined) return names.join('/')
  if (wrong === '..') throw leadsOut(inner)
  throw new ConfigError(
    'INVALID_CONFIG',
    `"${wrong}" in "${inner}" can't name a dataset; use names that start with a letter or digit.`,
  )
}

/** The attributes of a dataset or group; undefined if it has none. */
export async function readAttributes(store: Store, key: string): Promise<JsonObject | undefined> {
  const file = joinKey(key, 'attributes.json')
  const bytes = await store.get(file)
  return bytes === undefined ? undefined : parseJsonObject(bytes, store.where(file))
}

/** The datasets and groups below a key, depth first, at most `limit`. Folders are groups, with attributes or without. */
export async function listN5(
  store: Store,
  key: string,
  limit: number,
): Promise<{ readonly path: string; readonly kind: 'array' | 'group' }[]> {
  const found: { path: string; kind: 'array' | 'group' }[] = []
  for (const { name, isFolder } of (await store.list(key)) ?? []) {
    if (found.length >= limit) break
    if (!isFolder || name.startsWith('.')) continue
    const path = joinKey(key, name)
    const attributes = await readAttributes(store, path)
    const isArray = attributes !== undefined && isN5Dataset(attributes)
    found.push({ path, kind: isArray ? 'array' : 'group' })
    if (!isArray) found.push(...(await listN5(store, path, limit - found.length)))
  }
  return found
}

/** The finest dataset of a pyramid, as N5 Viewer, BigStitcher and Paintera lay it out: `s0`, or `data/s0` of a group for Paintera. */
export async function finestChild(
  store: Store,
  key: string,
  attributes: JsonObject,
): Promise<{ readonly key: string; readonly attributes: JsonObject } | undefined> {
  const places = attributes.painteraData === undefined ? ['s0'] : ['data/s0', 's0', 'data']
  for (const place of places) {
    const child = joinKey(key, place)
    const json = await readAttributes(store, child)
    if (json !== undefined && isN5Dataset(json)) return { key: child, attributes: json }
  }
  return undefined
}
