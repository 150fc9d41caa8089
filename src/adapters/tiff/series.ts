import { withBytes } from '../ranges/absent-bytes.ts'
import { type Directory, TAG } from './directories.ts'
import { type ImageLayout, isAlike, layoutOf, unsupported } from './image.ts'
import { imageJSeries } from './imagej.ts'
import { omeSeries } from './ome-tiff.ts'
import type { Planes } from './planes.ts'
import { damaged, type TiffFile } from './tiff-file.ts'

/** How the images of a file make one array. */
export interface Series extends Planes {
  /** Of the first image: all have its size, samples and element type, but may be stored in other ways. */
  readonly layout: ImageLayout
  /** The voxels of all images lie one after the other behind the first, as ImageJ writes large stacks. */
  readonly inOnePiece: boolean
  /** How far apart those images are. */
  readonly bytesPerImage: number
}

/**
 * What the images of a file are: as its metadata of OME or ImageJ say, otherwise a stack along z of the images that are like the first.
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
  return withBytes(() => stackOf(file, layout, images, imageJSeries(description, first)))
}

function stackOf(
  file: TiffFile,
  layout: ImageLayout,
  images: readonly Directory[],
  imageJ: ReturnType<typeof imageJSeries>,
): { series: Series; images: readonly Directory[] } {
  const [first] = images as [Directory]
  const inOnePiece = imageJ !== undefined && images.length === 1 && imageJ.count > 1 && layout.compression === 1
  if (imageJ !== undefined && !inOnePiece && images.length < imageJ.count) {
    throw damaged(file.path, `contains ${images.length} of the ${imageJ.count} images that its description names`)
  }
  const bytesPerImage = inOnePiece ? assertWhole(file, first, layout, imageJ.count) : 0
  return { series: { layout, ...(imageJ?.planes ?? stack(images.length)), inOnePiece, bytesPerImage }, images }
}

/** Thumbnails, labels and coarser levels are other images. */
function isPlane(file: TiffFile, directory: Directory, like: ImageLayout): boolean {
  if (directory.number(TAG.width) !== like.width || directory.number(TAG.height) !== like.height) return false
  return isAlike(layoutOf(file, directory), like)
}

const stack = (count: number): Planes => ({
  planes: count === 1 ? [] : [{ axis: { name: 'z', type: 'space' }, length: count }],
  plane: [
    { name: 'y', type: 'space' },
    { name: 'x', type: 'space' },
  ],
  imageAt: ([z = 0]) => z,
})

/** @returns the bytes of one image @throws ConfigError `UNSUPPORTED`, `INVALID_METADATA` */
function assertWhole(file: TiffFile, first: Directory, layout: ImageLayout, count: number): number {
  const [start = 0] = first.numbers(TAG.stripOffsets, 1)
  const bytes = first.numbers(TAG.stripByteCounts).reduce((sum, part) => sum + part, 0)
  if (layout.isTiled) throw unsupported(file.path, 'is an ImageJ stack of tiles', 'save it again with ImageJ')
  if (start + bytes * count > file.byteLength) {
    throw damaged(file.path, `has ${file.byteLength} bytes, but its ${count} images need ${start + bytes * count}`)
  }
  return bytes
}
