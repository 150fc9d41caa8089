import { rm } from 'node:fs/promises'
import { checkReusable, hasToGrow, isReused } from '../../adapters/zarr/check-reusable.ts'
import { alreadyExists } from '../../adapters/zarr/container-errors.ts'
import { ioError } from '../../adapters/zarr/files/file-errors.ts'
import { ConfigError } from '../../core/errors.ts'
import type { ArrayDescription, ArrayFormat, ChunkedArray, CreateArrayOptions } from '../../ports/chunked-array.ts'
import { finishedPath, isPacked, type PackedFile, type PackedKind, withFileNamed } from './packed-file.ts'

/** What is special about files of one kind. */
export interface PackedFormat {
  /** Reads the file. */
  readonly reader: ArrayFormat
  /** With what the array in the folder is created. @throws ConfigError `UNSUPPORTED`, `UNSUPPORTED_CODEC` for what the file can't have */
  readonly optionsFor: (file: PackedFile, options: CreateArrayOptions) => CreateArrayOptions
  /** The mark of the run that wrote an array of a file. @returns undefined if there is none */
  readonly markIn: (path: string, inner: string) => Promise<string | undefined>
  /**
   * What a file has besides some arrays and the groups around them, such as other files, groups with attributes of their own, tables.
   * @param inner the paths of the arrays, whether they are there or not
   */
  readonly othersIn: (path: string, inner: readonly string[]) => Promise<readonly string[]>
}

/**
 * Makes arrays that will be part of files which are written once.
 * @param folders the format of the folders beside the files
 */
export class PackedArrays {
  readonly #formats: Readonly<Record<PackedKind, PackedFormat>>
  readonly #folders: ArrayFormat

  constructor(formats: Readonly<Record<PackedKind, PackedFormat>>, folders: ArrayFormat) {
    this.#formats = formats
    this.#folders = folders
  }

  /** @throws what `ArrayFormat.planCreate` throws; ConfigError `DATASET_EXISTS` for a file that has no such array */
  async planCreate(file: PackedFile, options: CreateArrayOptions): Promise<ArrayDescription> {
    const wanted = this.#formats[file.kind].optionsFor(file, options)
    if (isPacked(file) && options.ifExists !== 'replace') return this.#openPacked(file, wanted)
    const planned = await withFileNamed(this.#folders.planCreate(file.unfinished, file.inner, wanted))
    return { ...planned, path: finishedPath(planned.path) }
  }

  /** A file that is replaced is removed at once, as a folder is. @throws what `planCreate` and `ArrayFormat.create` throw */
  async create(file: PackedFile, options: CreateArrayOptions): Promise<ChunkedArray> {
    const wanted = this.#formats[file.kind].optionsFor(file, options)
    if (isPacked(file)) {
      if (options.ifExists !== 'replace') return this.#openPacked(file, wanted)
      await rm(file.path).catch((error) => {
        throw ioError('remove', file.path, error)
      })
    }
    return withFileNamed(this.#folders.create(file.unfinished, file.inner, wanted))
  }

  /** The paths of the arrays in a file that is there. */
  arraysIn({ kind, path }: PackedFile): Promise<readonly string[]> {
    return arraysOf(this.#formats[kind].reader, path)
  }

  /** What a file that is there has besides some arrays and the groups around them, as users know it. */
  othersIn({ kind, path }: PackedFile, inner: readonly string[]): Promise<readonly string[]> {
    return this.#formats[kind].othersIn(path, inner)
  }

  /** The mark of the run that wrote an array of a file that is there. @returns undefined if there is none */
  markIn({ kind, path, inner }: PackedFile): Promise<string | undefined> {
    return this.#formats[kind].markIn(path, inner)
  }

  /** The paths of the arrays in the folder beside a file. */
  arraysBeside({ unfinished }: PackedFile): Promise<readonly string[]> {
    return arraysOf(this.#folders, unfinished)
  }

  async #openPacked({ kind, path, inner }: PackedFile, options: CreateArrayOptions): Promise<ChunkedArray> {
    const { reader } = this.#formats[kind]
    const array = await reader.open(path, inner).catch((error) => {
      throw error instanceof ConfigError && error.code === 'NO_SUCH_DATASET' ? isComplete(path, error) : error
    })
    try {
      if (!isReused(options)) throw alreadyExists(array.path)
      checkReusable(array, options)
      if (hasToGrow(array, options)) throw isComplete(path)
      return array
    } catch (error) {
      await array[Symbol.asyncDispose]()
      throw error
    }
  }
}

async function arraysOf(format: ArrayFormat, container: string): Promise<readonly string[]> {
  const nodes = await format.list(container, '', { limit: Number.POSITIVE_INFINITY })
  return nodes.filter(({ kind }) => kind === 'array').map(({ path }) => path)
}

const isComplete = (path: string, cause?: ConfigError): ConfigError =>
  new ConfigError(
    'DATASET_EXISTS',
    `${path} exists, and such files are written once, with all their arrays; write to another file, or to a folder.`,
    { cause },
  )
