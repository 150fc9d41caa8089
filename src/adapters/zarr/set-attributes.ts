import { InfrastructureError } from '../../core/errors.ts'
import { refreshConsolidated } from './metadata/consolidated.ts'
import { type JsonObject, stringifyJson } from './metadata/exact-json.ts'
import { parseJsonObject } from './metadata/metadata.ts'
import { asJsonObject } from './metadata/placement-attributes.ts'
import { joinKey, type Store } from './store.ts'

/**
 * Sets attributes of an array. All other metadata stay as they are, to the last digit; consolidated metadata are brought up to date.
 * @param key of the array
 */
export async function setAttributes(store: Store, key: string, zarrFormat: 2 | 3, changes: JsonObject): Promise<void> {
  // An array that is the container has no group.
  await using _groups = key === '' ? undefined : await store.lockGroups?.()
  const written = new Map<string, JsonObject>()
  const put = async (name: string, json: JsonObject) => {
    written.set(joinKey(key, name), json)
    await store.put(joinKey(key, name), [new TextEncoder().encode(stringifyJson(json))])
  }
  const get = async (name: string) => {
    const bytes = await store.get(joinKey(key, name))
    return bytes === undefined ? undefined : parseJsonObject(bytes, store.where(joinKey(key, name)))
  }
  const array = await get(zarrFormat === 3 ? 'zarr.json' : '.zarray')
  if (array === undefined) {
    throw new InfrastructureError('IO_ERROR', `${store.where(key)} was removed, so its attributes can't be set.`)
  }
  if (zarrFormat === 3) {
    await put('zarr.json', { ...array, attributes: { ...asJsonObject(array.attributes), ...changes } })
  } else {
    written.set(joinKey(key, '.zarray'), array)
    await put('.zattrs', { ...(await get('.zattrs')), ...changes })
  }
  await refreshConsolidated(store, key, written)
}
