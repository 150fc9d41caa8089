import { ConfigError } from '../../core/errors.ts'
import { soundAxes } from '../../core/geometry/sound-axes.ts'
import { refreshConsolidated } from './metadata/consolidated.ts'
import { type JsonObject, stringifyJson } from './metadata/exact-json.ts'
import { attributesAs, mergedAttributes } from './metadata/group-metadata.ts'
import { readNode } from './metadata/hierarchy.ts'
import { toV2Json } from './metadata/metadata-v2.ts'
import { toV3Json } from './metadata/metadata-v3.ts'
import { inNanometers, isOmeShaped, type OmeLevel, placeInOme, withoutOme } from './metadata/ome.ts'
import { readAxes } from './metadata/placement-attributes.ts'
import type { CreatePlan } from './plan-new-array.ts'
import { joinKey, parentKey, type Store } from './store.ts'

/**
 * Carries out a plan, or leaves nothing behind. The array's own metadata are written last: until then there is no array.
 * @param outermost the outermost folder that did not exist before
 */
export async function createPlanned(
  store: Store,
  key: string,
  plan: CreatePlan,
  outermost: string | undefined,
): Promise<void> {
  const written = new Map<string, JsonObject>()
  try {
    await writePlanned(store, key, plan, written)
  } catch (error) {
    // If this fails too, only groups without an array remain; the first error matters more.
    if (outermost !== undefined) await removeOwn(store, outermost, written).catch(() => {})
    throw error
  }
}

/** The first of some folders, outermost first, that does not exist. */
export async function outermostMissing(store: Store, keys: readonly string[]): Promise<string | undefined> {
  for (const key of keys) if ((await store.list(key)) === undefined) return key
  return undefined
}

/** Removes a folder, unless another program has put something into it. */
async function removeOwn(store: Store, folder: string, written: ReadonlyMap<string, unknown>): Promise<void> {
  const isOwn = async (key: string): Promise<boolean> => {
    for (const { name, isFolder } of (await store.list(key)) ?? []) {
      const below = joinKey(key, name)
      if (isFolder ? !(await isOwn(below)) : !written.has(below)) return false
    }
    return true
  }
  if (await isOwn(folder)) await store.remove(folder)
}

async function writePlanned(
  store: Store,
  key: string,
  plan: CreatePlan,
  written: Map<string, JsonObject>,
): Promise<void> {
  const { metadata, newGroups, existing } = plan
  const { zarrFormat } = metadata
  const put = async (file: string, json: JsonObject) => {
    written.set(file, json)
    await store.put(file, [new TextEncoder().encode(stringifyJson(json))])
  }
  if (existing === 'replace') await store.remove(key)
  for (const group of newGroups) {
    if (zarrFormat === 2) await put(joinKey(group, '.zgroup'), { zarr_format: 2 })
    else await put(joinKey(group, 'zarr.json'), { zarr_format: 3, node_type: 'group', attributes: {} })
  }
  await putGroups(store, plan, put)
  if (key !== '') await placeInParent(store, key, plan, put)
  if (zarrFormat === 3) {
    await put(joinKey(key, 'zarr.json'), toV3Json(metadata))
  } else {
    await put(joinKey(key, '.zattrs'), metadata.attributes)
    await put(joinKey(key, '.zarray'), toV2Json(metadata))
  }
  await refreshConsolidated(store, key, written)
}

async function putGroups(
  store: Store,
  { groups, metadata: { zarrFormat } }: CreatePlan,
  put: (file: string, json: JsonObject) => Promise<void>,
): Promise<void> {
  if (groups === undefined) return
  for (const { path, attributes, files } of groups.metadata) {
    const key = joinKey(groups.key, path)
    const node = await readNode(store, key)
    if (node?.kind === 'array') continue
    const merged = mergedAttributes(node?.attributes ?? {}, attributesAs(attributes, zarrFormat))
    if (zarrFormat === 2) {
      if (node === undefined) await put(joinKey(key, '.zgroup'), { zarr_format: 2 })
      await put(joinKey(key, '.zattrs'), merged)
    } else {
      const json = node?.json ?? { zarr_format: 3, node_type: 'group' }
      await put(joinKey(key, 'zarr.json'), { ...json, attributes: merged })
    }
    for (const [name, bytes] of files) await store.put(joinKey(key, name), [bytes])
  }
}

async function placeInParent(
  store: Store,
  key: string,
  { metadata: { zarrFormat }, axes, levelOf }: CreatePlan,
  put: (file: string, json: JsonObject) => Promise<void>,
): Promise<void> {
  const parent = parentKey(key)
  const node = await readNode(store, parent)
  if (node?.kind !== 'group') return
  const path = parent === '' ? key : key.slice(parent.length + 1)
  const finest = levelOf === undefined ? undefined : await finestLevel(store, parent, levelOf)
  const attributes = isOmeShaped(axes)
    ? placeInOme(node.attributes, { path, axes }, zarrFormat, finest)
    : withoutOme(node.attributes, path)
  if (attributes === undefined) return
  if (zarrFormat === 2) await put(joinKey(parent, '.zattrs'), attributes)
  else await put(joinKey(parent, 'zarr.json'), { ...node.json, attributes })
}

/** The array whose pyramid the new array joins, with its placement. @throws ConfigError `NO_SUCH_DATASET` */
async function finestLevel(store: Store, parent: string, path: string): Promise<OmeLevel> {
  const node = await readNode(store, joinKey(parent, path))
  if (node?.kind === 'array') return { path, axes: inNanometers(soundAxes(readAxes(node.metadata)).axes) }
  throw new ConfigError(
    'NO_SUCH_DATASET',
    `${store.where(joinKey(parent, path))} is not an array; only an array can get a coarser level.`,
  )
}
