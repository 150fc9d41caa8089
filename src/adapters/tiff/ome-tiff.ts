import type { ArrayAxis } from '../../ports/chunked-array.ts'
import { unsupported } from './image.ts'
import { imageUnit } from './imagej.ts'
import type { Planes } from './planes.ts'
import { damaged } from './tiff-file.ts'

/** Attributes of an element that are read; XML quotes each in one of two ways. */
function attributesOf(element: string): ReadonlyMap<string, string> {
  return new Map(
    [...element.matchAll(/([A-Za-z]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g)].map(([, name, a, b]) => [
      name as string,
      a ?? b ?? '',
    ]),
  )
}

const ENTITIES: Readonly<Record<string, string>> = { '&#181;': 'µ', '&#xB5;': 'µ', '&#xb5;': 'µ', '&micro;': 'µ' }

const TIMES: Readonly<Record<string, string>> = {
  s: 'second',
  ms: 'millisecond',
  µs: 'microsecond',
  min: 'minute',
  h: 'hour',
}

/**
 * The first image of OME-XML: https://docs.openmicroscopy.org/ome-model/
 * @param count images in the file
 * @throws ConfigError `UNSUPPORTED`, `INVALID_METADATA`
 */
export function omeSeries(path: string, xml: string, count: number): Planes {
  const start = xml.search(/<(\w+:)?Pixels[\s>]/)
  if (start < 0) throw damaged(path, 'has OME metadata without an image')
  const end = xml.slice(start).search(/<\/(\w+:)?Pixels>/)
  const body = end < 0 ? xml.slice(start) : xml.slice(start, start + end)
  const pixels = attributesOf(body.slice(0, body.indexOf('>') + 1))
  const lengthOf = (name: string): number => {
    const length = Number(pixels.get(name) ?? 1)
    if (!Number.isSafeInteger(length) || length < 1)
      throw damaged(path, `has OME metadata with ${name}="${pixels.get(name)}"`)
    return length
  }
  const samples = Number(/<(?:\w+:)?Channel[^>]*\bSamplesPerPixel\s*=\s*["'](\d+)/.exec(body)?.[1] ?? 1)
  const lengths = { C: Math.max(1, lengthOf('SizeC') / samples), T: lengthOf('SizeT'), Z: lengthOf('SizeZ') }
  if (!Number.isSafeInteger(lengths.C))
    throw damaged(path, `has OME metadata with ${lengthOf('SizeC')} channels of ${samples} samples`)
  const order = pixels.get('DimensionOrder') ?? 'XYZCT'
  const steps = stepsOf(path, order, lengths)
  const images = imagesOf(path, body, lengths, steps)
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

/** The image of each plane, in the order of planes. */
function imagesOf(path: string, body: string, lengths: Lengths, steps: Lengths): Int32Array {
  const total = lengths.C * lengths.T * lengths.Z
  const images = Int32Array.from({ length: total }, (_, plane) => plane)
  const elements = [...body.matchAll(/<(?:\w+:)?TiffData([^>]*?)(\/>|>)([^<]*<(?:\w+:)?UUID[^>]*>)?/g)]
  const files = new Set(elements.flatMap(([, , , uuid = '']) => attributesOf(uuid).get('FileName') ?? []))
  if (files.size > 1) {
    throw unsupported(
      path,
      `is one of ${files.size} files of an OME-TIFF`,
      'convert all of them once: bioformats2raw FILE OUT.zarr',
    )
  }
  const placed = elements
    .map(([, text = '']) => attributesOf(text))
    .filter((each) => each.has('IFD') || each.has('FirstZ'))
  if (placed.length === 0) return images
  images.fill(-1)
  for (const each of placed) {
    const value = (name: string, otherwise: number) => Number(each.get(name) ?? otherwise)
    const ifd = value('IFD', 0)
    const first = steps.Z * value('FirstZ', 0) + steps.C * value('FirstC', 0) + steps.T * value('FirstT', 0)
    if (![ifd, first].every((number) => Number.isSafeInteger(number) && number >= 0))
      throw damaged(
        path,
        `has OME metadata with the element "TiffData ${[...each].map((pair) => pair.join('=')).join(' ')}"`,
      )
    const count = value('PlaneCount', each.has('IFD') ? 1 : total)
    for (let i = 0; i < count && first + i < total; i++) images[first + i] = ifd + i
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
  const unit = TIMES[readable(pixels.get('TimeIncrementUnit') ?? 's')]
  return scale > 0 && Number.isFinite(scale) && unit !== undefined ? { scale, unit } : {}
}
