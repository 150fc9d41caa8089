import type { WorldUnit } from '../core/geometry/placement.ts'
import type { ArrayStore } from '../ports/array-store.ts'
import type { SetupArrays } from './define-task.ts'
import { type VolumeArray, volumeArray } from './volume-array.ts'

/** The arrays that a worker's tasks open, each once, in the run's world unit. Disposing ends the set-ups, and closes them all. */
export class OpenedArrays implements AsyncDisposable {
  readonly #store: ArrayStore
  readonly #ending = new AbortController()
  readonly #opened = new Map<string, Promise<VolumeArray>>()
  /** Bytes of voxels that were read and written. */
  readonly traffic = { readBytes: 0, writtenBytes: 0 }

  constructor(store: ArrayStore) {
    this.#store = store
  }

  /** Aborted when they are closed. */
  get signal(): AbortSignal {
    return this.#ending.signal
  }

  /** @param fsync writes end when they are on the disk itself */
  forUnit(unit: WorldUnit, fsync = false): SetupArrays {
    return {
      open: (path, { mode = 'r' } = {}) => {
        const key = `${mode} ${unit} ${this.#store.canonicalPath(path)}`
        const known = this.#opened.get(key)
        if (known !== undefined) return known
        const opening = this.#store.open(path, { mode, fsync }).then((array) => volumeArray(array, unit, this.traffic))
        this.#opened.set(key, opening)
        return opening
      },
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort()
    const opened = await Promise.allSettled(this.#opened.values())
    this.#opened.clear()
    for (const array of opened) if (array.status === 'fulfilled') await array.value.close()
  }
}
