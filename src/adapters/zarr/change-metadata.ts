import { InfrastructureError } from '../../core/errors.ts'
import { ResourceStack } from '../../core/resource-stack.ts'
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
  await using metadata = await MetadataChange.begin(store, key, zarrFormat, "its attributes can't be set")
  const { array } = metadata
  if (zarrFormat === 3) {
    await metadata.put('zarr.json', { ...array, attributes: { ...asJsonObject(array.attributes), ...changes } })
  } else {
    metadata.keep('.zarray', array)
    await metadata.put('.zattrs', { ...(await metadata.get('.zattrs')), ...changes })
  }
  await metadata.refresh()
}

/**
 * Makes an array larger, at its ends. What is added reads as the fill value, but for the rest of the chunks that the old end cut. All other
 * metadata stay as they are; the file that has the shape is replaced atomically.
 * @param key of the array
 * @param shape at least as long as it is along each axis
 */
export async function enlargeArray(
  store: Store,
  key: string,
  zarrFormat: 2 | 3,
  shape: readonly number[],
): Promise<void> {
  await using metadata = await MetadataChange.begin(store, key, zarrFormat, "it can't be made larger")
  if (zarrFormat === 2) {
    const attributes = await metadata.get('.zattrs')
    if (attributes !== undefined) metadata.keep('.zattrs', attributes)
  }
  await metadata.put(zarrFormat === 3 ? 'zarr.json' : '.zarray', { ...metadata.array, shape: [...shape] })
  await metadata.refresh()
}

/** A change of the metadata of an array, during which no other process changes the groups of its container. */
class MetadataChange implements AsyncDisposable {
  readonly array: JsonObject
  readonly #store: Store
  readonly #key: string
  readonly #groups: AsyncDisposable | undefined
  readonly #written = new Map<string, JsonObject>()

  private constructor(store: Store, key: string, array: JsonObject, groups: AsyncDisposable | undefined) {
    this.array = array
    this.#store = store
    this.#key = key
    this.#groups = groups
  }

  /** @param failure what can't be done if the array is gone, for people */
  static async begin(store: Store, key: string, zarrFormat: 2 | 3, failure: string): Promise<MetadataChange> {
    await using held = new ResourceStack()
    // An array that is the container has no group.
    const groups = key === '' ? undefined : await store.lockGroups?.()
    if (groups !== undefined) held.use(groups)
    const array = await read(store, joinKey(key, zarrFormat === 3 ? 'zarr.json' : '.zarray'))
    if (array === undefined) {
      throw new InfrastructureError('IO_ERROR', `${store.where(key)} was removed, so ${failure}.`)
    }
    held.move()
    return new MetadataChange(store, key, array, groups)
  }

  get(name: string): Promise<JsonObject | undefined> {
    return read(this.#store, joinKey(this.#key, name))
  }

  async put(name: string, json: JsonObject): Promise<void> {
    this.keep(name, json)
    await this.#store.put(joinKey(this.#key, name), [new TextEncoder().encode(stringifyJson(json))])
  }

  /** A file stays as it is. */
  keep(name: string, json: JsonObject): void {
    this.#written.set(joinKey(this.#key, name), json)
  }

  /** Brings the consolidated metadata of the groups up to date. */
  refresh(): Promise<void> {
    return refreshConsolidated(this.#store, this.#key, this.#written)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#groups?.[Symbol.asyncDispose]()
  }
}

async function read(store: Store, key: string): Promise<JsonObject | undefined> {
  const bytes = await store.get(key)
  return bytes === undefined ? undefined : parseJsonObject(bytes, store.where(key))
}
