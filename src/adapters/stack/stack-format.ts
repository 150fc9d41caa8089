import { readdirSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { ConfigError } from '../../core/errors.ts'
import { equalCoordinates, showCoordinate } from '../../core/geometry/coordinate.ts'
import type { ArrayFormat, ChunkedArray } from '../../ports/chunked-array.ts'
import { ExternalFiles } from '../files/external-files.ts'
import { singleArrayFormat } from '../files/single-array-format.ts'
import { StackArray } from './stack-array.ts'

/** Names of images that can be slices. */
export const SLICE_SUFFIX = /\.(tiff?|png)$/i

/** A path whose last part stands for several files. */
export const isPattern = (path: string): boolean => /[*?]/.test(basename(path))

export interface StackFormatOptions {
  /** Whether slices may be symbolic links to files outside their folder. @default no */
  readonly allowExternal?: () => boolean
}

/**
 * Stacks of images, one file for each slice along z: a folder of them, or a pattern such as `scan/slice_*.tif`.
 * @param openImage calls `check`, which throws for what may not be read, with each file that it has opened
 */
export const stackFormat = (
  openImage: (path: string, check: (file: number) => void) => Promise<ChunkedArray>,
  { allowExternal = () => false }: StackFormatOptions = {},
): ArrayFormat =>
  singleArrayFormat(
    'stack',
    async (path, { allowExternal: isAllowed = allowExternal() }) => {
      const files = slicesIn(path)
      const external = new ExternalFiles(isAllowed ? undefined : dirname(files[0] as string), { isFolder: true })
      const open = async (index: number) => {
        assertFile(files[index] as string)
        const path = files[index] as string
        if (!external.allows(path)) throw leadsOut(path)
        const image = await openImage(path, (file) => {
          if (!external.holds(file)) throw leadsOut(path)
        })
        if (index > 0) assertAlike(files[0] as string, first, image)
        return image
      }
      const first = await open(0)
      assertImage(first)
      if (files.length > 1) await (await open(files.length - 1))[Symbol.asyncDispose]()
      return new StackArray(path, files.length, first, open)
    },
    { localOnly: 'stacks of images' },
  )

/**
 * The files of the slices, by the numbers in their names: 2 before 10.
 * @throws ConfigError `NO_SUCH_FILE`, `UNSUPPORTED` for a folder with images of several kinds
 */
export function slicesIn(path: string): string[] {
  const [folder, fits] = isPattern(path)
    ? [dirname(path), matcher(basename(path))]
    : [path, (name: string) => SLICE_SUFFIX.test(name)]
  const names = namesIn(folder).filter((name) => !name.startsWith('.') && fits(name))
  if (names.length === 0) throw new ConfigError('NO_SUCH_FILE', `There is no image ${path}; check the path.`)
  const kinds = new Set(names.map((name) => name.replace(/^.*\./, '').toLowerCase().replace('tiff', 'tif')))
  if (kinds.size > 1) {
    throw new ConfigError(
      'UNSUPPORTED',
      `${path} contains images of several kinds (${[...kinds].join(', ')}); name those that are slices, as in "${join(folder, `*.${[...kinds][0]}`)}".`,
    )
  }
  const { compare } = new Intl.Collator('en', { numeric: true })
  return names.toSorted((a, b) => compare(a, b) || (a < b ? -1 : 1)).map((name) => join(folder, name))
}

function namesIn(folder: string): string[] {
  try {
    return statSync(folder).isDirectory() ? readdirSync(folder) : []
  } catch {
    return []
  }
}

/** `*` stands for any characters, and `?` for one. */
function matcher(pattern: string): (name: string) => boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*+/g, '.*')
    .replace(/\?/g, '.')
  const expression = new RegExp(`^${source}$`)
  return (name) => expression.test(name)
}

/** A pipe or a device would be waited for, or never end. @throws ConfigError `UNSUPPORTED` */
function assertFile(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined || found.isFile()) return
  throw new ConfigError(
    'UNSUPPORTED',
    `${path} is not a file, and so no slice; remove it, or name those that are slices.`,
  )
}

const leadsOut = (path: string): ConfigError =>
  new ConfigError(
    'UNSUPPORTED',
    `${path} is a symbolic link that leads out of its folder; if you trust what it leads to, allow that with --allow-external.`,
  )

/** @throws ConfigError `UNSUPPORTED` */
function assertImage({ path, axes }: ChunkedArray): void {
  if (axes.filter(({ type }) => type !== 'channel').length === 2) return
  throw new ConfigError('UNSUPPORTED', `${path} contains a stack of its own, not one slice; open it by itself.`)
}

/** @throws ConfigError `INVALID_METADATA` */
function assertAlike(path: string, first: ChunkedArray, image: ChunkedArray): void {
  if (equalCoordinates(first.shape, image.shape) && first.dtype === image.dtype) return
  const show = ({ shape, dtype }: ChunkedArray) => `${showCoordinate(shape)} pixels of ${dtype}`
  throw new ConfigError(
    'INVALID_METADATA',
    `${image.path} has ${show(image)}, but ${path} has ${show(first)}; slices of one stack have to be alike.`,
  )
}
