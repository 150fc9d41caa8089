import { join } from 'node:path'
import { isObjectAddress } from '../../../adapters/objects/object-address.ts'
import { isDead, type LockHolder, readHolder } from '../../../adapters/zarr/lock-holder.ts'
import { arrayHolder } from '../../../adapters/zarr/objects/object-marks.ts'
import { LOCK_FILE } from '../../../adapters/zarr/write-guard.ts'
import { ConfigError } from '../../../core/errors.ts'
import type { ArrayStore } from '../../../ports/array-store.ts'
import { describeMark, readMark } from '../output-mark.ts'
import { lockedBy } from '../run-outputs.ts'

/**
 * A store for planning, which says who wrote an array that can't be used for an output since it has another shape, dtype or grid.
 * @throws ConfigError `RUN_LOCKED` from `planCreate` if a run is writing it now
 */
export const namingAuthors = (store: ArrayStore): ArrayStore => ({
  ...store,
  async planCreate(path, options) {
    try {
      return await store.planCreate(path, options)
    } catch (error) {
      if (!(error instanceof ConfigError && error.code === 'DATASET_EXISTS')) throw error
      throw await withAuthor(store, path, error)
    }
  },
})

async function withAuthor(store: ArrayStore, path: string, refusal: ConfigError): Promise<ConfigError> {
  await using array = await store.open(path).catch(() => undefined)
  if (array === undefined) return refusal
  const holder = await (isObjectAddress(array.path) ? arrayHolder(array.path) : holderOf(array.path)).catch(
    () => undefined,
  )
  if (holder !== undefined) {
    return new ConfigError('RUN_LOCKED', lockedBy(array.path, { holder }), { cause: refusal })
  }
  const mark = await readMark(array.path).catch(() => undefined)
  if (mark === undefined) return refusal
  return new ConfigError(refusal.code, `${refusal.message} It was written by ${describeMark(mark)}.`, {
    cause: refusal,
  })
}

/** Who is writing an array in a folder now. */
async function holderOf(folder: string): Promise<LockHolder | undefined> {
  const lock = join(folder, LOCK_FILE)
  const holder = await readHolder(lock)
  return typeof holder === 'object' && !(await isDead(lock, holder)) ? holder : undefined
}
