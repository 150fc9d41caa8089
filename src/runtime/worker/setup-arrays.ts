import type { WorldUnit } from '../../core/geometry/world-unit.ts'
import type { WireTask } from '../../core/protocol/messages.ts'
import type { ArrayStore } from '../../ports/array-store.ts'
import type { SetupArrays } from '../tasks/task-options.ts'
import { type Traffic, type VolumeArray, volumeArray } from '../volumes/volume-array.ts'
import { assertHeld, currentLease } from './running-block.ts'

const ofRuns = new WeakMap<SetupArrays, RunArrays>()

/** The arrays that a run has created. */
export interface RunArrays {
  /** The id in their marks. */
  readonly id: string
  /** Their folders. */
  readonly folders: readonly string[]
}

/** The arrays that the run of a set-up has created; undefined if the worker was not told. @param arrays as given to `setup` */
export const arraysOfRun = (arrays: SetupArrays): RunArrays | undefined => ofRuns.get(arrays)

/** Blocks that were taken from this worker own nothing. */
const ownerOf = (id: string) => () => {
  assertHeld()
  return id
}

/** The arrays that a worker's tasks open, each once, in the run's world unit. Disposing ends the set-ups and closes all arrays. */
export class OpenedArrays implements AsyncDisposable {
  readonly #store: ArrayStore
  readonly #ending = new AbortController()
  readonly #opened = new Map<string, Promise<VolumeArray>>()
  readonly #trafficOf: () => Traffic | undefined
  /** Bytes of voxels read and written for which `trafficOf` returns no counter. */
  readonly traffic: Traffic = { readBytes: 0, writtenBytes: 0 }

  /** @param trafficOf returns the counter for the voxels that are read or written now @default `traffic` */
  constructor(store: ArrayStore, trafficOf?: () => Traffic | undefined) {
    this.#store = store
    this.#trafficOf = trafficOf ?? (() => this.traffic)
  }

  /** Aborted when the arrays are closed. */
  get signal(): AbortSignal {
    return this.#ending.signal
  }

  /** @param options `fsync`: a write ends only when the data is on the disk; `owns`: the outputs that only this run may write */
  forUnit(unit: WorldUnit, { fsync = false, owns }: Partial<Pick<WireTask, 'fsync' | 'owns'>> = {}): SetupArrays {
    const own = new Set(owns?.outputs.map((path) => this.#store.canonicalPath(path)))
    const arrays: SetupArrays = {
      open: (path, { mode = 'r' } = {}) => {
        const key = `${mode} ${unit} ${this.#store.canonicalPath(path)}`
        const known = this.#opened.get(key)
        if (known !== undefined) return known
        const guarded =
          owns === undefined || mode !== 'r+'
            ? {}
            : {
                owner: ownerOf(owns.id),
                lease: currentLease,
                owns: (folder: string) => own.has(this.#store.canonicalPath(folder)),
              }
        const opened = this.#store.open(path, { mode, fsync, ...guarded })
        const opening = opened.then((array) => volumeArray(array, unit, this.#trafficOf))
        this.#opened.set(key, opening)
        return opening
      },
    }
    if (owns !== undefined) ofRuns.set(arrays, { id: owns.id, folders: [...own] })
    return arrays
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort()
    const opened = await Promise.allSettled(this.#opened.values())
    this.#opened.clear()
    for (const array of opened) if (array.status === 'fulfilled') await array.value.close()
  }
}
