import type { ArrayAxis } from '../../../ports/chunked-array.ts'
import { readAttributes } from '../attributes.ts'
import type { Hdf5File } from '../hdf5-file.ts'
import type { ProgramLayout } from './program-layout.ts'

const DATA = /^(DataSet\d*\/ResolutionLevel \d+\/TimePoint \d+\/Channel \d+)\/Data$/

/**
 * The files of Imaris (`.ims`): the extent of the image is an attribute of the file, in texts of single characters; the voxels of a level
 * fill up its chunks. https://imaris.oxinst.com/support/imaris-file-format
 */
export function imarisLayout(file: Hdf5File, inner: string, stored: readonly number[]): ProgramLayout | undefined {
  const [, channel] = DATA.exec(inner) ?? []
  if (channel === undefined) return undefined
  const sizes = attributesOf(file, channel)
  const image = attributesOf(
    file,
    inner.startsWith('DataSet/') ? 'DataSetInfo/Image' : inner.replace(/^(DataSet\d+)\/.*$/, '$1Info/Image'),
  )
  const shape = ['Z', 'Y', 'X'].map((axis, i) => {
    const size = numberOf(sizes[`ImageSize${axis}`])
    return size !== undefined && Number.isInteger(size) && size > 0 && size <= (stored[i] as number)
      ? size
      : (stored[i] as number)
  })
  const unit = textOf(image.Unit) ?? 'um'
  const axes = ['z', 'y', 'x'].map((name, i): ArrayAxis => {
    const [start, end] = [numberOf(image[`ExtMin${2 - i}`]), numberOf(image[`ExtMax${2 - i}`])]
    if (start === undefined || end === undefined || !(end > start)) return { name, type: 'space' }
    // The texts have few digits, and the quotient more than it means.
    const scale = Number(((end - start) / (shape[i] as number)).toPrecision(7))
    return { name, type: 'space', unit, scale, translation: start, translationOf: 'edge' }
  })
  return { axes, shape }
}

const attributesOf = (file: Hdf5File, path: string): Record<string, unknown> =>
  file.kindOf(path) === 'group' ? readAttributes(file, path) : {}

/** A text, or a list of its characters. */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  return Array.isArray(value) && value.every((part) => typeof part === 'string') ? value.join('') : undefined
}

function numberOf(value: unknown): number | undefined {
  const text = textOf(value)?.trim()
  const number = text === undefined || text === '' ? Number.NaN : Number(text)
  return Number.isFinite(number) ? number : undefined
}
