import type { ArrayAxis } from '../../ports/chunked-array.ts'
import { type Directory, TAG } from './directories.ts'
import type { Planes } from './planes.ts'

/** Units as ImageJ writes them, to the names of OME-NGFF. */
const UNITS: ReadonlyMap<string, string> = new Map(Object.entries({
  m: 'meter', meter: 'meter', cm: 'centimeter', mm: 'millimeter', micron: 'micrometer', microns: 'micrometer', um: 'micrometer',
  µm: 'micrometer', μm: 'micrometer', micrometer: 'micrometer', nm: 'nanometer', nanometer: 'nanometer', pm: 'picometer', angstrom: 'angstrom', Å: 'angstrom',
})) // biome-ignore format: a table

export const imageUnit = (text: string | undefined): string | undefined => UNITS.get(text?.trim() ?? '')

/** ImageJ's description of a stack: https://imagej.net/ij/docs/guide/; undefined for other descriptions. */
export function imageJSeries(
  description: string,
  directory: Directory,
): { readonly count: number; readonly planes: Planes } | undefined {
  if (!description.startsWith('ImageJ=')) return undefined
  const field = (name: string) => new RegExp(`^${name}=(.*)$`, 'm').exec(description)?.[1]?.trim()
  const countOf = (name: string) => {
    const value = Number(field(name) ?? 1)
    return Number.isSafeInteger(value) && value > 0 ? value : 1
  }
  const [channels, slices, frames] = [countOf('channels'), countOf('slices'), countOf('frames')]
  const images = countOf('images')
  const count = channels * slices * frames
  // Older versions name the images alone.
  const depth = count === images ? slices : count === 1 ? images : slices
  const unit = imageUnit(withoutEscapes(field('unit')))
  const scaleOf = (tag: number) => (unit === undefined ? undefined : perUnit(directory.rational(tag)))
  const spacing = Number(field('spacing'))
  const seconds = Number(field('finterval'))
  const place = (scale: number | undefined) => (scale === undefined || unit === undefined ? {} : { scale, unit })
  const z: ArrayAxis = { name: 'z', type: 'space', ...place(unit !== undefined && spacing > 0 ? spacing : undefined) }
  const t: ArrayAxis = { name: 't', type: 'time', ...(seconds > 0 ? { scale: seconds, unit: 'second' } : {}) }
  const planes = [
    { axis: { name: 'c', type: 'channel' } as ArrayAxis, length: channels, step: 1 },
    { axis: t, length: frames, step: channels * depth },
    { axis: z, length: depth, step: channels },
  ].filter(({ length }) => length > 1)
  return {
    count: channels * depth * frames,
    planes: {
      planes,
      plane: [
        { name: 'y', type: 'space', ...place(scaleOf(TAG.yResolution)) },
        { name: 'x', type: 'space', ...place(scaleOf(TAG.xResolution)) },
      ],
      imageAt: (at) => planes.reduce((image, { step }, i) => image + step * (at[i] as number), 0),
    },
  }
}

/** `\u00B5m` to µm. */
const withoutEscapes = (text: string | undefined): string | undefined =>
  text?.replace(/\\u([0-9a-fA-F]{4})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))

/** The units of a pixel from pixels per unit, by the shortest decimal that gives this fraction. */
function perUnit(fraction: readonly [number, number] | undefined): number | undefined {
  if (fraction === undefined) return undefined
  const [pixels, units] = fraction
  if (!(pixels > 0 && units > 0)) return undefined
  // A writer rounds the number of pixels to a whole one.
  const tolerance = pixels >= 10_000 ? 0.5 : 1e-9 * pixels
  for (let digits = 1; digits < 16; digits++) {
    const size = Number((units / pixels).toPrecision(digits))
    if (Math.abs(units / size - pixels) <= tolerance) return size
  }
  return units / pixels
}
