import { ConfigError } from '../../core/errors.ts'
import { type Coordinate, showCoordinate } from '../../core/geometry/coordinate.ts'
import { finerUnit, type WorldUnit } from '../../core/geometry/world-unit.ts'
import { given } from '../../core/given.ts'
import type { ArrayStore } from '../../ports/array-store.ts'
import { type CreateVolumeOptions, createOptionsOf } from '../volumes/create-volume.ts'
import { describeVolume, type VolumeDescription, volumeArray } from '../volumes/volume-array.ts'
import type { MaskVolume } from './block-mask.ts'
import type { PlannedOutput } from './planned-task.ts'
import type { PlanArrays } from './task-options.ts'

export interface PlanOptions {
  readonly arrays: ArrayStore
  /** The name of the pipeline. */
  readonly name?: string | undefined
  /** Replace outputs that exist. @default false */
  readonly overwrite?: boolean
  /** Make outputs that are smaller than they have to be larger. @default false */
  readonly grow?: boolean
  /** Blocks are not compared with outputs: they are planned again, with the blocks of the record. @default false */
  readonly isDraft?: boolean
  /** The blocks of the record of a run whose volume may have grown, or has grown: they are kept, and the chunks of outputs. */
  readonly recorded?: RecordedBlocks | undefined
  /** The path of a mask for every task whose plan has none. */
  readonly mask?: string | undefined
}

/** The shapes that blocks of a run write, by their tasks. */
export interface RecordedBlocks {
  readonly unit: WorldUnit
  readonly shapes: ReadonlyMap<string, Coordinate>
}

/** What one task opened, planned to create, and warned about while it was planned. */
export interface TaskPlanning {
  readonly arrays: PlanArrays
  readonly reads: VolumeDescription[]
  readonly outputs: PlannedOutput[]
  readonly warnings: string[]
}

/**
 * One pass over the tasks of a pipeline, with one world unit. Collects the arrays that they open and will create, and closes
 * them at the end.
 */
export class PlanningPass implements AsyncDisposable {
  readonly #unit: WorldUnit
  readonly #store: ArrayStore
  readonly #ifExists: 'replace' | 'reuse' | 'grow'
  readonly #mask: string | undefined
  readonly #recorded: RecordedBlocks | undefined
  readonly isDraft: boolean
  readonly #created = new Map<string, VolumeDescription>()
  readonly #opened = new Map<string, ReturnType<typeof volumeArray>>()
  /** The finest unit that any array needed. */
  finest: WorldUnit

  constructor(unit: WorldUnit, options: PlanOptions) {
    this.#unit = unit
    this.finest = unit
    this.#store = options.arrays
    this.#ifExists = options.overwrite ? 'replace' : options.grow ? 'grow' : 'reuse'
    this.#mask = options.mask
    this.#recorded = options.recorded
    this.isDraft = options.isDraft ?? false
  }

  /** The shape that blocks of a task write by its record. */
  recordedBlock(taskId: string): Coordinate | undefined {
    return this.#recorded?.unit === this.#unit ? this.#recorded.shapes.get(taskId) : undefined
  }

  /** The mask of the run. */
  async mask(): Promise<MaskVolume | undefined> {
    return this.#mask === undefined ? undefined : await this.#open(this.#mask)
  }

  startTask(taskId: string): TaskPlanning {
    const planning: TaskPlanning = {
      reads: [],
      outputs: [],
      warnings: [],
      arrays: {
        open: async (path) => {
          const array = await this.#open(path)
          planning.reads.push(array)
          for (const warning of array.warnings ?? []) {
            const text = `${array.path}: ${warning}.`
            if (!planning.warnings.includes(text)) planning.warnings.push(text)
          }
          return array
        },
        create: (path, options) => this.#create(taskId, planning, path, options),
      },
    }
    return planning
  }

  async #create(
    taskId: string,
    { reads, outputs }: TaskPlanning,
    path: string,
    options: CreateVolumeOptions,
  ): Promise<VolumeDescription> {
    const ifExists = options.ifExists ?? this.#ifExists
    const isKept = this.#ifExists === 'grow' || this.#recorded !== undefined
    const chunks = isKept && options.ifExists === undefined ? await this.#chunksOf(path) : {}
    const wanted = { ...createOptionsOf(path, options), ...chunks, ifExists } as const
    const key = this.#store.canonicalPath(path)
    if (ifExists === 'replace' && this.#opened.has(key)) {
      throw new ConfigError(
        'OUTPUT_CONFLICT',
        `Task "${taskId}" would replace ${path}, which this run reads; write to another path.`,
      )
    }
    const description = this.#noteUnit(describeVolume(await this.#store.planCreate(path, wanted), this.#unit))
    if (ifExists === 'grow') await this.#assertSameChannels(description)
    // Paths are compared after planning: a path may name a pyramid's group instead of its finest array, or be spelt differently.
    const place = this.#store.canonicalPath(description.path)
    if (reads.some((array) => this.#store.canonicalPath(array.path) === place)) {
      throw new ConfigError(
        'OUTPUT_CONFLICT',
        `Task "${taskId}": its input and its output are both ${path}; write to another path.`,
      )
    }
    this.#created.set(key, description)
    outputs.push({ path, options: wanted, ...(options.ifExists === undefined ? {} : { isChosen: true }) })
    return description
  }

  /** An array that is made larger keeps its chunks, which a task may choose by the volume. */
  async #chunksOf(path: string): Promise<{ chunkShape?: readonly number[]; shardShape?: readonly number[] }> {
    await using existing = await this.#store.open(path).catch(() => undefined)
    if (existing === undefined) return {}
    const { chunkShape, shardShape } = describeVolume(existing, this.#unit)
    return { chunkShape, ...given({ shardShape }) }
  }

  /** Blocks that are done have no voxels of channels that are new. @throws ConfigError `DATASET_EXISTS` */
  async #assertSameChannels({ path, shape, channelAxes }: VolumeDescription): Promise<void> {
    await using existing = await this.#store.open(path).catch(() => undefined)
    if (existing === undefined) return
    const { shape: before } = describeVolume(existing, this.#unit)
    const [is, wanted] = [before, shape].map((all) => showCoordinate(all.slice(0, channelAxes))) as [string, string]
    if (is === wanted) return
    throw new ConfigError(
      'DATASET_EXISTS',
      `${path} already exists with ${is} channels, not ${wanted}, and only its other axes can grow; overwrite it (--overwrite) or choose another name.`,
    )
  }

  async #open(path: string) {
    const key = this.#store.canonicalPath(path)
    const planned = this.#created.get(key)
    if (planned !== undefined) {
      const read = () =>
        Promise.reject(
          new ConfigError('NO_SUCH_DATASET', `${path} is created by this run and can't be read while it is planned.`),
        )
      return { ...planned, read }
    }
    const known = this.#opened.get(key)
    if (known !== undefined) return known
    const array = volumeArray(await this.#store.open(path), this.#unit)
    this.#opened.set(key, array)
    this.#noteUnit(array)
    return array
  }

  #noteUnit<Volume extends VolumeDescription>(volume: Volume): Volume {
    this.finest = finerUnit(this.finest, volume.unit)
    return volume
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#opened.values()].map((array) => array.close()))
  }
}
