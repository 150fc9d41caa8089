import type { ArrayAxis } from '../../ports/chunked-array.ts'

/** The numbers in a list such as `1 2.5 3`; undefined if anything else is in it. */
export function numbersIn(text: string | undefined): number[] | undefined {
  if (text === undefined) return undefined
  const values = text
    .trim()
    .split(/[\s,]+/)
    .map(Number)
  return values.some(Number.isNaN) ? undefined : values
}

/** A vector of NRRD, `(1,0,0)`; undefined for `none`. */
export function vectorsIn(text: string | undefined): (number[] | undefined)[] {
  return [...(text ?? '').matchAll(/none|\(([^)]*)\)/gi)].map(([, inner]) => numbersIn(inner))
}

/** Units as they are written in headers, to the names of OME-NGFF. */
const UNITS: Readonly<Record<string, string>> = {
  m: 'meter', cm: 'centimeter', mm: 'millimeter', um: 'micrometer', µm: 'micrometer', micron: 'micrometer',
  microns: 'micrometer', nm: 'nanometer', Å: 'angstrom', A: 'angstrom', pm: 'picometer',
  s: 'second', ms: 'millisecond', us: 'microsecond', ns: 'nanosecond',
} // biome-ignore format: a table

const NAMED = new Set(Object.values(UNITS))

/** The unit of OME-NGFF that a text names; undefined if Bellis doesn't know it. */
export function unitNamed(text: string | undefined): string | undefined {
  const word = text?.trim() ?? ''
  const full = word.toLowerCase().replace(/metre/, 'meter').replace(/s$/, '')
  return Object.hasOwn(UNITS, word) ? UNITS[word] : NAMED.has(full) ? full : undefined
}

/** Names for the axes of space of an image, the fastest first. */
export function spaceNames(count: number): string[] {
  return Array.from({ length: count }, (_, i) => (count <= 3 ? ('xyz'[i] as string) : `d${count - 1 - i}`))
}

/** An order in which the channels come first, then the other axes, the slowest first. @param axes the fastest first */
export function channelsFirst(axes: readonly ArrayAxis[]): number[] {
  const places = axes.map((_, place) => place).toReversed()
  const isChannel = (place: number) => axes[place]?.type === 'channel'
  return [...places.filter(isChannel), ...places.filter((place) => !isChannel(place))]
}
