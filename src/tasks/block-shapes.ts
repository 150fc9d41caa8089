import {
  ConfigError,
  type Coordinate,
  containsRoi,
  countElements,
  intersectRoi,
  isEmptyRoi,
  largestDivisor,
  parseRoi,
  type Roi,
  roi,
  showRoiInNm,
  typedArray,
  type VolumeDescription,
} from '../entry/index.ts'

/**
 * The length of an output's chunks along one axis if blocks of `block` voxels write it: the block itself if it is
 * small, otherwise its largest divisor up to `wanted`. A block without a suitable divisor is one chunk.
 */
export function chunkWithin(block: number, wanted: number): number {
  if (block <= wanted * 1.5) return block
  const part = largestDivisor(block, wanted)
  return part >= wanted / 4 ? part : block
}

/** The chunk shape of new volumes: 64 voxels per axis in 3-D, more in 2-D and 1-D, at most the volume. */
export function defaultChunk(shape: readonly number[]): number[] {
  const side = [262144, 512, 64, 32][Math.min(shape.length, 4) - 1] as number
  return shape.map((length) => Math.max(1, Math.min(side, length)))
}

/** The shape of a volume without its channels, voxels: the axes that a Roi has. */
export const tiledShape = (volume: VolumeDescription): number[] => volume.shape.slice(volume.channelAxes)

/** A shape in voxels of a volume as world units. */
export const inWorld = (volume: VolumeDescription, voxels: readonly number[]): Coordinate =>
  voxels.map((length, axis) => length * (volume.voxelSize[axis] as number))

/** A shape in world units of a volume as voxels. */
export const inVoxels = (volume: VolumeDescription, shape: Coordinate): number[] =>
  shape.map((length, axis) => length / (volume.voxelSize[axis] as number))

/** A block shape, voxels: multiples of `step`, about `target` per axis, and no longer than the volume needs. */
export function blockOfChunks(shape: readonly number[], step: readonly number[], target: number): number[] {
  return shape.map((length, axis) => {
    const unit = step[axis] as number
    const wanted = Math.max(1, Math.round(target / unit)) * unit
    return Math.min(wanted, Math.ceil(length / unit) * unit)
  })
}

/** Voxels of a part with which the calls for it cost little in relation to its work. */
const MIN_PART = 2 ** 15

/**
 * A region along the chunks of a volume, because a whole chunk is decoded to where it is wanted, and encoded from there, without a copy.
 * @param step voxels of which each part has a whole number along each axis, unless the region ends
 * @returns the region alone if its parts would be small, or files have more than one chunk
 */
export function partsOf(volume: VolumeDescription, region: Roi, step: readonly number[] = []): Roi[] {
  const chunk = volume.chunkShape.slice(volume.channelAxes)
  const isSmall = countElements(chunk) < MIN_PART
  if (isSmall || volume.shardShape !== undefined || volume.chunksVary) return [region]
  if (step.some((length, axis) => (chunk[axis] as number) % length !== 0)) return [region]
  const lengths = inWorld(volume, chunk)
  const starts = region.offset.map((start, axis) => {
    const [length, origin] = [lengths[axis] as number, volume.offset[axis] as number]
    const end = start + (region.shape[axis] as number)
    const found = [start]
    for (let at = origin + (Math.floor((start - origin) / length) + 1) * length; at < end; at += length) found.push(at)
    return [...found, end]
  })
  const along = starts.map((edges) => edges.slice(1).map((end, i) => [edges[i] as number, end] as const))
  return along
    .reduce<(readonly (readonly [number, number])[])[]>(
      (all, pieces) => all.flatMap((before) => pieces.map((piece) => [...before, piece])),
      [[]],
    )
    .map((piece) =>
      roi(
        piece.map(([start]) => start),
        piece.map(([start, end]) => end - start),
      ),
    )
}

/** Checks that a setting has one number per axis of a volume. @throws ConfigError `RANK_MISMATCH` */
export function assertRank(name: string, given: readonly (number | string)[], volume: VolumeDescription): void {
  const shape = tiledShape(volume)
  if (given.length === shape.length) return
  throw new ConfigError(
    'RANK_MISMATCH',
    `"${name}" is ${given.join(',')}, but ${volume.path} has ${shape.length} axes of ${shape.join(',')} voxels; expected ${shape.length} numbers.`,
  )
}

/**
 * The region of a volume that a text describes, or the complete volume without a text.
 * @throws ConfigError `INVALID_ROI`, `OUTSIDE_ARRAY`
 */
export function regionOf(volume: VolumeDescription, text: string | undefined): Roi {
  if (text === undefined) return volume.roi
  const region = parseRoi(text, volume.unit, volume)
  if (containsRoi(volume.roi, region)) return region
  const inside = intersectRoi(region, volume.roi)
  const part = isEmptyRoi(inside) ? '' : `; the part inside is ${showRoiInNm(inside, volume.unit)}`
  throw new ConfigError(
    'OUTSIDE_ARRAY',
    `The roi ${text} is not inside ${volume.path}, which fills ${showRoiInNm(volume.roi, volume.unit)} nm${part}.`,
  )
}

/** The chunk shape of an output as large as a volume: that of the volume if it is a Zarr array, otherwise that of new volumes. */
export function chunkLike(volume: VolumeDescription): number[] {
  if (/^(zarr|memory)/.test(volume.format)) return [...volume.chunkShape]
  return [...volume.shape.slice(0, volume.channelAxes).map(() => 1), ...defaultChunk(tiledShape(volume))]
}

/** Bytes of the voxels of a block, all channels. @param voxels per axis, without channels */
export const bytesOf = (volume: VolumeDescription, voxels: readonly number[]): number =>
  Number(countElements([...volume.shape.slice(0, volume.channelAxes), ...voxels])) *
  typedArray(volume.dtype, 0).BYTES_PER_ELEMENT
