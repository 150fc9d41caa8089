import { withBytes } from '../ranges/absent-bytes.ts'
import { type Directory, TAG } from './directories.ts'
import { type ImageLayout, isAlike, layoutOf, unsupported } from './image.ts'
import { imageJSeries } from './imagej.ts'
import { omeSeries } from './ome-tiff.ts'
import { type Planes, stack } from './planes.ts'
import { damaged, type TiffFile } from './tiff-file.ts'
import { tifffileSeries } from './tifffile.ts'

/** How the images of a file make one array. */
export interface Series extends Planes {
  /** Of the first image: all have its size, samples and element type, but may be stored in other ways. */
  readonly layout: ImageLayout
  /** The voxels of all images lie one after the other behind the first, as ImageJ writes large stacks, and MetaMorph all. */
  readonly inOnePiece: boolean
  /** How far apart those images are. */
  readonly bytesPerImage: number
}

/** What metadata say about the images of a file. */
interface Described {
  readonly count: number
  readonly planes: Planes
  /** Whether fewer images than that are damage; otherwise the metadata are of another state of the file. */
  readonly isSure: boolean
  /** Whether a single image may stand for all of them. */
  readonly mayBeInOnePiece: boolean
}

/**
 * What the images of a file are: as its metadata of OME, ImageJ, MetaMorph or tifffile say, otherwise a stack along z of the images that are like the first.
 * @throws ConfigError `UNSUPPORTED`, `INVALID_METADATA`
 */
export async function seriesOf(
  file: TiffFile,
  directories: readonly Directory[],
): Promise<{ series: Series; images: readonly Directory[] }> {
  const [first] = directories as [Directory]
  const [layout, description] = await withBytes(() => [layoutOf(file, first), first.text(TAG.description)] as const)
  if (/<(\w+:)?OME[\s>]/.test(description.slice(0, 4096))) {
    return {
      series: { layout, ...omeSeries(file.path, description, directories.length), inOnePiece: false, bytesPerImage: 0 },
      images: directories,
    }
  }
  const images: Directory[] = []
  for (const each of directories) {
    if (each === first || (await withBytes(() => isPlane(file, each, layout)))) images.push(each)
  }
  return withBytes(() => stackOf(file, layout, images, describedBy(description, first, layout)))
}

function describedBy(description: string, first: Directory, layout: ImageLayout): Described | undefined {
  const imageJ = imageJSeries(description, first)
  if (imageJ !== undefined) return { ...imageJ, isSure: true, mayBeInOnePiece: true }
  const planes = first.count(TAG.metaMorphPlanes)
  if (planes > 1) return { count: planes, planes: stack(planes), isSure: true, mayBeInOnePiece: true }
  const tifffile = tifffileSeries(description, layout)
  return tifffile && { ...tifffile, isSure: tifffile.truncated, mayBeInOnePiece: tifffile.truncated }
}

function stackOf(
  file: TiffFile,
  layout: ImageLayout,
  images: readonly Directory[],
  described: Described | undefined,
): { series: Series; images: readonly Directory[] } {
  const plain = { layout, ...stack(images.length), inOnePiece: false, bytesPerImage: 0 }
  if (described === undefined) return { series: plain, images }
  const { count, planes, isSure, mayBeInOnePiece } = described
  const [first] = images as [Directory]
  const inOnePiece = mayBeInOnePiece && images.length === 1 && count > 1 && layout.compression === 1
  if (isSure && !inOnePiece && images.length < count) {
    throw damaged(file.path, `contains ${images.length} of the ${count} images that its description names`)
  }
  if (!isSure && images.length !== count) return { series: plain, images }
  const bytesPerImage = inOnePiece ? assertWhole(file, first, layout, count) : 0
  return { series: { layout, ...planes, inOnePiece, bytesPerImage }, images }
}

/** Thumbnails, labels and coarser levels are other images. */
function isPlane(file: TiffFile, directory: Directory, like: ImageLayout): boolean {
  if (directory.number(TAG.width) !== like.width || directory.number(TAG.height) !== like.height) return false
  return isAlike(layoutOf(file, directory), like)
}

/** @returns the bytes of one image @throws ConfigError `UNSUPPORTED`, `INVALID_METADATA` */
function assertWhole(file: TiffFile, first: Directory, layout: ImageLayout, count: number): number {
  const [start = 0] = first.numbers(TAG.stripOffsets, 1)
  const bytes = first.numbers(TAG.stripByteCounts).reduce((sum, part) => sum + part, 0)
  if (layout.isTiled) throw unsupported(file.path, 'has several images as one, in tiles', 'save each image by itself')
  if (start + bytes * count > file.byteLength) {
    throw damaged(file.path, `has ${file.byteLength} bytes, but its ${count} images need ${start + bytes * count}`)
  }
  return bytes
}
