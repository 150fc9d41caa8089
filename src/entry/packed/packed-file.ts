import { statSync } from 'node:fs'
import { ConfigError, type ErrorCode } from '../../core/errors.ts'
import { isAddress } from '../../core/text/address.ts'

/** The formats of files that are written once. */
export type PackedKind = 'zip' | 'hdf5'

/** A file with arrays that is written once, at the end of a run: until then its arrays are in a Zarr folder beside it. */
export interface PackedFile {
  readonly kind: PackedKind
  /** The file. */
  readonly path: string
  /** The folder beside it. */
  readonly unfinished: string
  /** The path of the array in both. */
  readonly inner: string
}

const UNFINISHED = '.unfinished.zarr'

const SUFFIXES: readonly (readonly [string, PackedKind])[] = [
  ['.zip', 'zip'],
  ['.ozx', 'zip'],
  ['.hdf', 'hdf5'],
  ['.hdf5', 'hdf5'],
  ['.h5', 'hdf5'],
]

/** The file that a dataset is, or will be, part of. @returns undefined for datasets of other formats, and for folders with such a name */
export function packedFile({
  container,
  inner,
}: {
  readonly container: string
  readonly inner: string
}): PackedFile | undefined {
  if (isAddress(container)) return undefined
  const name = container.toLowerCase()
  const kind = SUFFIXES.find(([suffix]) => name.endsWith(suffix))?.[1]
  if (kind === undefined || statSync(container, { throwIfNoEntry: false })?.isDirectory()) return undefined
  return { kind, path: container, unfinished: `${container}${UNFINISHED}`, inner }
}

/** Whether the file is there. It is written completely or not at all. */
export const isPacked = ({ path }: PackedFile): boolean => statSync(path, { throwIfNoEntry: false }) !== undefined

/** Whether there are arrays for it that are not in it yet. */
export const isUnfinished = (file: PackedFile): boolean =>
  !isPacked(file) && statSync(file.unfinished, { throwIfNoEntry: false })?.isDirectory() === true

const FOLDER = `(${SUFFIXES.map(([suffix]) => suffix).join('|')})${UNFINISHED}`.replaceAll('.', '\\.')
const IN_FOLDER = new RegExp(`${FOLDER}(?=/|$)`, 'i')

/** The path of an array in the file that it will be part of, for one in the folder beside it. */
export const finishedPath = (path: string): string => path.replace(IN_FOLDER, '$1')

/** What a user knows by the path of the file. What is wrong with the files in the folder is named by their own paths. */
const OF_DATASETS: readonly ErrorCode[] = ['DATASET_EXISTS', 'NO_SUCH_DATASET', 'NOT_A_DATASET', 'NO_SUCH_FILE']
const NAMED_FOLDER = new RegExp(`${FOLDER}(?=[/;:,"\\s]|$)`, 'gi')

/** The same error, with the file instead of the folder beside it, if it is about a dataset. */
export function namingFile(error: unknown): unknown {
  if (!(error instanceof ConfigError) || !OF_DATASETS.includes(error.code)) return error
  const { code, message, cause } = error
  return new ConfigError(code, message.replace(NAMED_FOLDER, '$1'), { cause })
}

/** @throws what an action throws, but {@link namingFile} */
export const withFileNamed = <Result>(done: Promise<Result>): Promise<Result> =>
  done.catch((error) => {
    throw namingFile(error)
  })
