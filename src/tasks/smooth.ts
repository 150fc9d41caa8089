import {
  ConfigError,
  countElements,
  defineTask,
  growRoi,
  intersectRoi,
  pasteInto,
  type Roi,
  roi,
  roiEnd,
  shiftRoi,
  subtractCoordinates,
  type TypedArray,
  toNanometers,
  type VolumeArray,
  type VolumeDescription,
  type Voxels,
  z,
} from '../entry/index.ts'
import { gaussianFilterBox, gaussianRadius } from '../entry/kernels.ts'
import {
  assertRank,
  blockOfChunks,
  bytesOf,
  chunkWithin,
  defaultChunk,
  inVoxels,
  inWorld,
  tiledShape,
} from './block-shapes.ts'
import { Scratch } from './scratch.ts'

/** The memory of the filter, which holds some rows at a time, and its compiled code. */
const FILTER_BYTES = 4_000_000

const shape = z.array(z.number().int().positive()).min(1)
const EXPECTED_SIGMA = 'expected a number above 0'
const inNm = z.string().regex(/^(?!0*\.?0*\s*nm$)\d+(?:\.\d+)?\s*nm$/, `${EXPECTED_SIGMA}, in nm with its unit: 20nm`)
const sigma = z.union([z.number(EXPECTED_SIGMA).positive(EXPECTED_SIGMA), inNm])

const smoothConfig = z.object({
  input: z.string().describe('dataset to smooth'),
  output: z.string().describe('array to write: Zarr, N5 or precomputed, as its name says'),
  sigma: z
    .union([sigma, z.array(sigma).min(1)])
    .refine(hasOneUnit, 'expected all of them in voxels, such as 0.5,2,2, or all in nm, such as 20nm,8nm,8nm')
    .default(2)
    .describe('standard deviation, one or one per axis: voxels, or nm as 20nm'),
  mode: z
    .enum(['constant', 'reflect', 'nearest', 'mirror', 'wrap'])
    .default('constant')
    .describe('how the volume is extended beyond its ends; constant means 0'),
  blockRead: shape
    .optional()
    .describe('voxels that a block reads (default: blockWrite and the context that sigma needs)'),
  blockWrite: shape.optional().describe('voxels that a block writes (default: about 128 per axis)'),
})

type SmoothConfig = z.output<typeof smoothConfig>

/** Gaussian smoothing of a complete volume, block by block: equal to `scipy.ndimage.gaussian_filter` of the complete array. */
export const smooth = defineTask({
  name: 'smooth',
  config: smoothConfig,
  async plan(config, { arrays, warn }) {
    const input = await arrays.open(config.input)
    if (input.dtype === 'float16') {
      throw new ConfigError(
        'UNSUPPORTED',
        `${input.path} is float16, which neither this filter nor SciPy supports; smooth a float32 copy of it.`,
      )
    }
    const { write, lower, upper } = blockVoxels(config, input)
    warnOfContext(config, input, lower, upper, warn)
    const wanted = defaultChunk(tiledShape(input))
    const chunk = write.map((length, axis) => chunkWithin(length, wanted[axis] as number))
    const channels = input.shape.slice(0, input.channelAxes)
    const output = await arrays.create(config.output, { like: input, chunkShape: [...channels.map(() => 1), ...chunk] })
    // At the edge of a wrapped volume a block reads the far end, so it has to wait for all blocks of a task before it.
    const reach = config.mode === 'wrap' ? tiledShape(input) : undefined
    const [below, above] = [inWorld(input, reach ?? lower), inWorld(input, reach ?? upper)]
    const writeRoi = roi(input.offset, inWorld(input, write))
    return {
      totalRoi: growRoi(input.roi, below, above),
      readRoi: growRoi(writeRoi, below, above),
      writeRoi,
      fit: 'shrink',
      readWriteConflict: false,
      growable: config.mode !== 'wrap',
      writes: [output],
      // What is read, the same once more while it is filtered, the part of it that is written, and what the filter keeps.
      memory:
        FILTER_BYTES +
        bytesOf(
          input,
          write.map((length, axis) => length + (lower[axis] as number) + (upper[axis] as number)),
        ) *
          2 +
        bytesOf(input, write),
    }
  },
  async setup(config, { arrays }) {
    const input = await arrays.open(config.input)
    const output = await arrays.open(config.output, { mode: 'r+' })
    const { lower, upper } = blockVoxels(config, input)
    const [below, above] = [inWorld(input, lower), inWorld(input, upper)]
    const sigma = sigmaInVoxels(config.sigma, input)
    const scratch = new Scratch()
    return async (block, { signal }) => {
      // Not `block.readRoi` in mode wrap: there the plan's read Roi covers the complete volume, only to order the blocks.
      // In the other modes it is cut at the volume's edge, where the filter then extends the block as it would the volume.
      const wanted =
        config.mode === 'wrap' ? growRoi(block.writeRoi, below, above) : intersectRoi(block.readRoi, input.roi)
      const box = { offset: voxelOffset(input, wanted, block.writeRoi), shape: voxelShape(input, block.writeRoi) }
      using memory = scratch.take(input.dtype, Number(countElements(voxelShape(input, wanted))))
      using part = scratch.take(input.dtype, Number(countElements(box.shape)))
      const read = config.mode === 'wrap' ? readWrapped : readPlain
      const voxels = await read(input, wanted, memory.data, signal)
      const smoothed = gaussianFilterBox(voxels, box, { sigma, mode: config.mode, into: part.data })
      await output.write(block.writeRoi, smoothed.data, { signal })
    }
  },
})

export default smooth

function hasOneUnit(value: number | string | readonly (number | string)[]): boolean {
  return new Set([value].flat().map((each) => typeof each)).size === 1
}

const femtometres = (nm: number): number => Math.round(nm * 1e6)

/** The standard deviation on each axis, voxels. @throws ConfigError `RANK_MISMATCH` */
export function sigmaInVoxels(
  given: number | string | readonly (number | string)[],
  volume: Pick<VolumeDescription, 'voxelSize' | 'unit'>,
): number[] {
  const values = Array.isArray(given) ? given : volume.voxelSize.map(() => given)
  return values.map((value: number | string, axis) => {
    if (typeof value === 'number') return value
    // As whole numbers of fm, so that 13.8 nm are exactly 3 voxels of 4.6 nm.
    return (
      femtometres(Number.parseFloat(value)) / femtometres(toNanometers(volume.voxelSize[axis] as number, volume.unit))
    )
  })
}

/** The shape that a block writes, and the context around it, in voxels. */
function blockVoxels(
  config: SmoothConfig,
  input: VolumeDescription,
): { write: number[]; lower: number[]; upper: number[] } {
  const radius = radiusPerAxis(config.sigma, input)
  const shape = tiledShape(input)
  if (config.blockWrite !== undefined) assertRank('blockWrite', config.blockWrite, input)
  const { blockRead } = config
  if (blockRead !== undefined) assertRank('blockRead', blockRead, input)
  const write = [
    ...(config.blockWrite ??
      blockRead?.map((length, axis) => length - 2 * (radius[axis] as number)) ??
      defaultWrite(shape)),
  ]
  if (blockRead === undefined) return { write, lower: radius, upper: radius }
  if (config.blockWrite === undefined && write.some((length) => length < 1)) {
    throw new ConfigError(
      'WRITE_ROI_OUTSIDE_READ_ROI',
      `A block that reads ${blockRead.join(',')} voxels has nothing left to write: sigma ${config.sigma} needs ${radius.join(',')} voxels of context on each side. Read at least ${radius.map((length) => 2 * length + 1).join(',')}, or set blockWrite.`,
    )
  }
  const context = blockRead.map((length, axis) => length - (write[axis] as number))
  if (context.some((length) => length < 0)) {
    throw new ConfigError(
      'WRITE_ROI_OUTSIDE_READ_ROI',
      `A block that reads ${blockRead.join(',')} voxels can't write ${write.join(',')}; blockRead must be blockWrite plus the context on both sides.`,
    )
  }
  return {
    write,
    lower: context.map((length) => Math.floor(length / 2)),
    upper: context.map((length) => Math.ceil(length / 2)),
  }
}

/** Blocks of about 128 voxels per axis, or of 64 if there would be too few blocks to distribute. */
function defaultWrite(shape: readonly number[]): number[] {
  const chunk = defaultChunk(shape)
  const large = blockOfChunks(shape, chunk, 128)
  const blocks = countElements(large.map((length, axis) => Math.ceil((shape[axis] as number) / length)))
  return blocks >= 16n ? large : blockOfChunks(shape, chunk, 64)
}

function radiusPerAxis(sigma: SmoothConfig['sigma'], input: VolumeDescription): number[] {
  if (Array.isArray(sigma)) assertRank('sigma', sigma, input)
  return sigmaInVoxels(sigma, input).map((value) => gaussianRadius(value))
}

function warnOfContext(
  config: SmoothConfig,
  input: VolumeDescription,
  lower: readonly number[],
  upper: readonly number[],
  warn: (message: string) => void,
): void {
  const missing = radiusPerAxis(config.sigma, input).flatMap((radius, axis) => {
    const given = Math.min(lower[axis] as number, upper[axis] as number)
    const name = input.axes[axis + input.channelAxes]?.name ?? String(axis)
    return given < radius ? [`${radius} on ${name} (given: ${given})`] : []
  })
  if (missing.length === 0) return
  const sigma = [config.sigma].flat().join(',')
  warn(
    `the context of the blocks is too small for sigma ${sigma}, so their borders will show: it needs ${missing.join(', ')} voxels on each side.`,
  )
}

/** The shape of a region in voxels, including channels. */
const voxelShape = (input: VolumeDescription, region: Roi): number[] => [
  ...input.shape.slice(0, input.channelAxes),
  ...inVoxels(input, region.shape),
]

/** Where a region starts in another one that contains it, in voxels, including channels. */
const voxelOffset = (input: VolumeDescription, outer: Roi, region: Roi): number[] => [
  ...input.shape.slice(0, input.channelAxes).map(() => 0),
  ...inVoxels(input, subtractCoordinates(region.offset, outer.offset)),
]

const readPlain = (input: VolumeArray, region: Roi, into: TypedArray, signal: AbortSignal): Promise<Voxels> =>
  input.read(region, { into, signal })

/** Reads a region of a volume that repeats periodically beyond its edges. */
async function readWrapped(input: VolumeArray, region: Roi, into: TypedArray, signal: AbortSignal): Promise<Voxels> {
  const shape = voxelShape(input, region)
  const whole: Voxels = { data: into, shape, roi: region, voxelSize: input.voxelSize }
  for (const shift of repeats(input.roi, region)) {
    const part = intersectRoi(region, shiftRoi(input.roi, shift))
    const voxels = await input.read(
      shiftRoi(
        part,
        shift.map((value) => -value),
      ),
      { signal },
    )
    pasteInto(whole, { ...voxels, roi: part })
  }
  return whole
}

/** The shifts, multiples of the volume's shape, to the periodic copies of a volume that meet a region. */
function* repeats(volume: Roi, region: Roi): Generator<number[]> {
  const perAxis = volume.shape.map((length, axis) => {
    const start = (region.offset[axis] as number) - (volume.offset[axis] as number)
    const end = (roiEnd(region)[axis] as number) - (volume.offset[axis] as number)
    const first = Math.floor(start / length)
    return Array.from({ length: Math.ceil(end / length) - first }, (_, copy) => (first + copy) * length)
  })
  yield* perAxis.reduce<number[][]>(
    (all, shifts) => all.flatMap((before) => shifts.map((shift) => [...before, shift])),
    [[]],
  )
}
