import type { ArrayAxis } from '../../ports/chunked-array.ts'
import type { ImageLayout } from './image.ts'
import { PLANE, type Planes, stack } from './planes.ts'

/** Descriptions that tifffile writes are short; longer texts in braces are other programs'. */
const LONGEST = 2 ** 20

/** Axes that an array may have before those of an image, by tifffile's letters, in the order in which they are read. */
const NAMED: readonly (readonly [string, ArrayAxis])[] = [
  ['C', { name: 'c', type: 'channel' }],
  ['T', { name: 't', type: 'time' }],
  ['Z', { name: 'z', type: 'space' }],
]

/** The stack that tifffile's description of a file names: `{"shape": [2, 5, 64, 64], "axes": "CZYX"}`. */
export interface DescribedStack {
  readonly count: number
  readonly planes: Planes
  /** Whether a single image is described, and the voxels of the others follow those of the first. */
  readonly truncated: boolean
}

/** @returns undefined for other descriptions, and for those of other images than the first one is */
export function tifffileSeries(description: string, layout: ImageLayout): DescribedStack | undefined {
  if (!description.startsWith('{') || description.length > LONGEST) return undefined
  const { shape, axes, truncated } = parsed(description)
  if (!Array.isArray(shape) || !shape.every((length) => Number.isSafeInteger(length) && length > 0)) return undefined
  const letters = typeof axes === 'string' && axes.length === shape.length ? axes : ''
  // Lengths of 1 stand where they like.
  const found = (shape as number[])
    .map((length, i) => ({ length, letter: letters[i] ?? '' }))
    .filter(({ length }) => length > 1)
  const own = imageShape(layout).filter((length) => length > 1)
  const before = found.slice(0, Math.max(0, found.length - own.length))
  if (!own.every((length, i) => found[before.length + i]?.length === length)) return undefined
  const count = before.reduce((product, { length }) => product * length, 1)
  return { count, planes: planesOf(before, count), truncated: truncated === true }
}

function parsed(text: string): { readonly shape?: unknown; readonly axes?: unknown; readonly truncated?: unknown } {
  try {
    return JSON.parse(text) ?? {}
  } catch {
    return {}
  }
}

const imageShape = ({ samples, together, height, width }: ImageLayout): number[] =>
  samples === 1 ? [height, width] : together ? [height, width, samples] : [samples, height, width]

/** Axes that are not called channel, time and z, each once, are counted together as z. */
function planesOf(before: readonly { readonly length: number; readonly letter: string }[], count: number): Planes {
  const letters = before.map(({ letter }) => letter)
  if (NAMED.filter(([letter]) => letters.includes(letter)).length !== letters.length) return stack(count)
  const found = NAMED.flatMap(([letter, axis]) => {
    const i = letters.indexOf(letter)
    const step = before.slice(i + 1).reduce((product, { length }) => product * length, 1)
    return i < 0 ? [] : [{ axis, length: before[i]?.length as number, step }]
  })
  return {
    planes: found,
    plane: PLANE,
    imageAt: (at) => found.reduce((image, { step }, i) => image + step * (at[i] as number), 0),
  }
}
