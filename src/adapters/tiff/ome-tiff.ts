import type { ArrayAxis } from '../../ports/chunked-array.ts'
import { xmlTags } from '../files/xml-tags.ts'
import { unsupported } from './image.ts'
import { imageUnit } from './imagej.ts'
import type { Planes } from './planes.ts'
import { damaged } from './tiff-file.ts'

const ENTITIES: Readonly<Record<string, string>> = { '&#181;': 'µ', '&#xB5;': 'µ', '&#xb5;': 'µ', '&micro;': 'µ' }

const SEVERAL_FILES = 'convert all of them once: bioformats2raw FILE OUT.zarr'

const TIMES: ReadonlyMap<string, string> = new Map([
  ['s', 'second'],
  ['ms', 'millisecond'],
  ['µs', 'microsecond'],
  ['min', 'minute'],
  ['h', 'hour'],
])

/** What is read of OME-XML about its first image. */
interface OmeImage {
  readonly pixels: ReadonlyMap<string, string>
  /** Samples of a pixel of the first channel. */
  readonly samples: number
  /** Of elements that say which images the planes are. */
  readonly placed: readonly ReadonlyMap<string, string>[]
  /** Names of the files in which the planes lie. */
  readonly files: ReadonlySet<string>
}

/** @returns undefined if there is no image */
function firstImage(xml: string): OmeImage | undefined {
  let pixels: ReadonlyMap<string, string> | undefined
  let samples: number | undefined
  const placed: ReadonlyMap<string, string>[] = []
  const files = new Set<string>()
  for (const { name, isEnd, attributes } of xmlTags(xml)) {
    if (pixels === undefined) {
      if (name === 'Pixels' && !isEnd) pixels = attributes()
      continue
    }
    if (isEnd && name === 'Pixels') break
    if (isEnd) continue
    if (name === 'Channel') samples ??= Number(attributes().get('SamplesPerPixel') ?? 1)
    if (name === 'UUID') {
      const file = attributes().get('FileName')
      if (file !== undefined) files.add(file)
    }
    if (name !== 'TiffData') continue
    const found = attributes()
    if (found.has('IFD') || found.has('FirstZ')) placed.push(found)
  }
  return pixels === undefined ? undefined : { pixels, samples: samples ?? 1, placed, files }
}

/**
 * The first image of OME-XML: https://docs.openmicroscopy.org/ome-model/
 * @param count images in the file
 * @throws ConfigError `UNSUPPORTED`, `INVALID_METADATA`
 */
export function omeSeries(path: string, xml: string, count: number): Planes {
  const image = firstImage(xml)
  if (image === undefined) {
    const [, elsewhere] =
      /<(?:\w+:)?BinaryOnly\s[^>]{0,1024}?MetadataFile="([^"]{1,512})"/.exec(xml.slice(0, 65_536)) ?? []
    if (elsewhere === undefined) throw damaged(path, 'has OME metadata without an image')
    throw unsupported(path, `is one of several files of an OME-TIFF, described by "${elsewhere}"`, SEVERAL_FILES)
  }
  const { pixels, samples } = image
  const lengthOf = (name: string): number => {
    const length = Number(pixels.get(name) ?? 1)
    if (!Number.isSafeInteger(length) || length < 1)
      throw damaged(path, `has OME metadata with ${name}="${pixels.get(name)}"`)
    return length
  }
  const lengths = { C: Math.max(1, lengthOf('SizeC') / samples), T: lengthOf('SizeT'), Z: lengthOf('SizeZ') }
  if (!Number.isSafeInteger(lengths.C))
    throw damaged(path, `has OME metadata with ${lengthOf('SizeC')} channels of ${samples} samples`)
  const order = pixels.get('DimensionOrder') ?? 'XYZCT'
  const steps = stepsOf(path, order, lengths)
  const images = imagesOf(path, image, lengths, steps)
  const total = lengths.C * lengths.T * lengths.Z
  if (images.some((image) => image >= count)) {
    throw damaged(path, `contains ${count} images, but its OME metadata describe ${total}`)
  }
  const size = (name: string): Pick<ArrayAxis, 'scale' | 'unit'> => lengthIn(pixels, name)
  const planes = [
    { axis: { name: 'c', type: 'channel' } as ArrayAxis, key: 'C' as const },
    { axis: { name: 't', type: 'time', ...timeIn(pixels) } as ArrayAxis, key: 'T' as const },
    { axis: { name: 'z', type: 'space', ...size('Z') } as ArrayAxis, key: 'Z' as const },
  ].filter(({ key }) => lengths[key] > 1)
  return {
    planes: planes.map(({ axis, key }) => ({ axis, length: lengths[key] })),
    plane: [
      { name: 'y', type: 'space', ...size('Y') },
      { name: 'x', type: 'space', ...size('X') },
    ],
    imageAt: (at) => images[planes.reduce((plane, { key }, i) => plane + steps[key] * (at[i] as number), 0)] as number,
  }
}

type Lengths = Readonly<Record<'C' | 'T' | 'Z', number>>

/** How far apart neighbours along each axis are in the order of planes. */
function stepsOf(path: string, order: string, lengths: Lengths): Lengths {
  if (!/^XY([CTZ])(?!\1)([CTZ])(?!\1|\2)[CTZ]$/.test(order))
    throw damaged(path, `has OME metadata with the order "${order}"`)
  const steps = { C: 1, T: 1, Z: 1 }
  let step = 1
  for (const key of order.slice(2) as Iterable<keyof Lengths>) {
    steps[key] = step
    step *= lengths[key]
  }
  if (step > 2 ** 24) throw damaged(path, `has OME metadata of ${step} images`)
  return steps
}

/** The most planes that all elements together may name; in sound files, each plane is named once. */
const MOST_NAMED = 2 ** 26

/** The image of each plane, in the order of planes. */
function imagesOf(path: string, { placed, files }: OmeImage, lengths: Lengths, steps: Lengths): Int32Array {
  const total = lengths.C * lengths.T * lengths.Z
  const images = Int32Array.from({ length: total }, (_, plane) => plane)
  if (files.size > 1) {
    throw unsupported(path, `is one of ${files.size} files of an OME-TIFF`, SEVERAL_FILES)
  }
  if (placed.length === 0) return images
  images.fill(-1)
  let left = MOST_NAMED
  for (const each of placed) {
    const value = (name: string, otherwise: number) => Number(each.get(name) ?? otherwise)
    const ifd = value('IFD', 0)
    const first = steps.Z * value('FirstZ', 0) + steps.C * value('FirstC', 0) + steps.T * value('FirstT', 0)
    if (![ifd, first].every((number) => Number.isSafeInteger(number) && number >= 0))
      throw damaged(
        path,
        `has OME metadata with the element "TiffData ${[...each].map((pair) => pair.join('=')).join(' ')}"`,
      )
    const named = Math.min(value('PlaneCount', each.has('IFD') ? 1 : total), total - first)
    left -= Math.max(0, named)
    if (left < 0) throw damaged(path, 'has OME metadata that name images again and again for the same planes')
    for (let i = 0; i < named; i++) images[first + i] = ifd + i
  }
  const missing = images.indexOf(-1)
  if (missing >= 0) throw damaged(path, `has OME metadata that name no image for plane ${missing}`)
  return images
}

const readable = (text: string): string => text.replace(/&(#\w+|micro);/g, (entity) => ENTITIES[entity] ?? entity)

function lengthIn(pixels: ReadonlyMap<string, string>, axis: string): Pick<ArrayAxis, 'scale' | 'unit'> {
  const scale = Number(pixels.get(`PhysicalSize${axis}`))
  const unit = imageUnit(readable(pixels.get(`PhysicalSize${axis}Unit`) ?? 'µm'))
  return scale > 0 && Number.isFinite(scale) && unit !== undefined ? { scale, unit } : {}
}

function timeIn(pixels: ReadonlyMap<string, string>): Pick<ArrayAxis, 'scale' | 'unit'> {
  const scale = Number(pixels.get('TimeIncrement'))
  const unit = TIMES.get(readable(pixels.get('TimeIncrementUnit') ?? 's'))
  return scale > 0 && Number.isFinite(scale) && unit !== undefined ? { scale, unit } : {}
}
