import {
  ConfigError,
  DTYPES,
  defineTask,
  equalCoordinates,
  type NodeOptions,
  type Roi,
  roi,
  showRoiInNm,
  type TaskNode,
  type VolumeDescription,
  z,
} from '../entry/index.ts'
import {
  evaluateExpression,
  isLogical,
  isReservedName,
  mayGiveFractions,
  parseExpression,
  variablesOf,
} from '../entry/kernels.ts'
import { forEachAtOnce } from './at-once.ts'
import { blockOfChunks, chunkLike, inWorld, partsOf, tiledShape } from './block-shapes.ts'
import { Scratch } from './scratch.ts'

/** The name of the input's voxel in expressions. */
const VOXEL = 'x'

const expression = z.string().superRefine((text, context) => {
  try {
    parseExpression(text)
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message })
  }
})

const mapConfig = z.object({
  input: z.string().describe('dataset whose voxels are x'),
  output: z.string().describe('array to write: Zarr, N5 or precomputed, as its name says'),
  expr: expression.describe('expression for each voxel x: "x > 128", "255 - x", "mask ? x : 0"'),
  with: z
    .record(z.string(), z.string())
    .default({})
    .describe('further datasets with the same shape and placement, by the names of their voxels in the expression'),
  dtype: z
    .enum(DTYPES)
    .optional()
    .describe('type of the output (default: bool for comparisons, otherwise that of the input)'),
})

/** Computes a volume from an expression, voxel by voxel. Values are float64, and exact integers for 64-bit integers. */
export const map = defineTask({
  name: 'map',
  config: mapConfig,
  async plan(config, { arrays, warn }) {
    const input = await arrays.open(config.input)
    const parsed = parseExpression(config.expr)
    assertVariables(config, variablesOf(parsed))
    const others = await Promise.all(
      Object.entries(config.with).map(async ([name, path]) => [name, await arrays.open(path)] as const),
    )
    for (const [name, other] of others) assertSamePlace(name, other, input)
    const dtypes = new Map([[VOXEL, input.dtype], ...others.map(([name, { dtype }]) => [name, dtype] as const)])
    const dtype = config.dtype ?? (isLogical(parsed) ? 'bool' : input.dtype)
    const isFloat = (name: string) => dtypes.get(name)?.startsWith('float') ?? false
    if (config.dtype === undefined && /int/.test(dtype) && mayGiveFractions(parsed, isFloat)) {
      warn(`"${config.expr}" may give fractions, which are rounded to ${dtype}; dtype float32 keeps them.`)
    }
    const output = await arrays.create(config.output, {
      like: input,
      dtype,
      chunkShape: chunkLike(input),
    })
    const chunk = output.chunkShape.slice(output.channelAxes)
    const block = roi(input.offset, inWorld(input, blockOfChunks(tiledShape(input), chunk, 128)))
    const blocks = { totalRoi: input.roi, readRoi: block, writeRoi: block, fit: 'shrink' } as const
    return { ...blocks, readWriteConflict: false, writes: [output] }
  },
  async setup(config, { arrays }) {
    const inputs = await Promise.all(
      Object.entries({ [VOXEL]: config.input, ...config.with }).map(
        async ([name, path]) => [name, await arrays.open(path)] as const,
      ),
    )
    const output = await arrays.open(config.output, { mode: 'r+' })
    const parsed = parseExpression(config.expr)
    const scratch = new Scratch()
    /** Chunk by chunk, if all arrays have the same chunks: none of their voxels is copied. */
    const isChunked = inputs.every(([, { shardShape, chunkShape }]) => {
      return shardShape === undefined && equalCoordinates(chunkShape, output.chunkShape)
    })
    const mapPart = async (part: Roi, signal: AbortSignal): Promise<void> => {
      const read = await Promise.all(
        inputs.map(async ([name, array]) => [name, await scratch.read(array, part, signal)] as const),
      )
      try {
        const voxels = Object.fromEntries(read.map(([name, { data }]) => [name, data]))
        using out = scratch.take(output.dtype, (read[0] as (typeof read)[number])[1].data.length)
        evaluateExpression(parsed, voxels, out.data, { isBool: output.dtype === 'bool' })
        await output.write(part, out.data, { signal })
      } finally {
        for (const [, voxels] of read) voxels[Symbol.dispose]()
      }
    }
    return async ({ writeRoi }, { signal }) => {
      const parts = isChunked ? partsOf(output, writeRoi) : [writeRoi]
      await forEachAtOnce(parts, (part) => mapPart(part, signal))
    }
  },
})

export default map

export const thresholdConfig = z.object({
  input: z.string().describe('dataset'),
  output: z.string().describe('array to write, bool: Zarr'),
  above: z.number().optional().describe('keep voxels above this value'),
  below: z.number().optional().describe('keep voxels below this value'),
})

/** Options of {@link threshold}. */
export interface ThresholdConfig {
  /** Dataset. */
  readonly input: string
  /** Array to write. */
  readonly output: string
  /** Keep voxels above this value. */
  readonly above?: number | undefined
  /** Keep voxels below this value. */
  readonly below?: number | undefined
}

/** Computes a mask, bool, of the voxels above a value, below one, or between two. @throws ConfigError `INVALID_CONFIG` without either bound */
export function threshold({ input, output, above, below }: ThresholdConfig, options: NodeOptions = {}): TaskNode {
  const bounds = [
    ...(above === undefined ? [] : [`${VOXEL} > ${above}`]),
    ...(below === undefined ? [] : [`${VOXEL} < ${below}`]),
  ]
  if (bounds.length === 0) {
    throw new ConfigError('INVALID_CONFIG', '"above" and "below" are both missing; give at least one of them.')
  }
  return map({ input, output, expr: bounds.join(' && ') }, { id: 'threshold', ...options })
}

function assertVariables(config: z.output<typeof mapConfig>, used: ReadonlySet<string>): void {
  const names = Object.keys(config.with)
  for (const name of names) {
    if (name === VOXEL || isReservedName(name) || !/^[A-Za-z_]\w*$/.test(name)) {
      const why = name === VOXEL ? 'is the voxel of the input' : "can't be a name in an expression"
      throw new ConfigError('INVALID_CONFIG', `"with": "${name}" ${why}; choose another name, of letters and digits.`)
    }
    if (!used.has(name)) {
      throw new ConfigError(
        'INVALID_CONFIG',
        `"expr" is "${config.expr}": it does not use ${name}, which "with" names; use it or remove it.`,
      )
    }
  }
  const unknown = [...used].find((name) => name !== VOXEL && !names.includes(name))
  if (unknown === undefined) return
  throw new ConfigError(
    'INVALID_CONFIG',
    `"expr" is "${config.expr}": ${unknown} is not defined; the voxels are ${[VOXEL, ...names].join(', ')}, and "with" names further datasets.`,
  )
}

function assertSamePlace(name: string, other: VolumeDescription, input: VolumeDescription): void {
  const placeOf = ({ roi: region, unit, shape }: VolumeDescription) =>
    `${shape.join(' × ')} voxels at ${showRoiInNm(region, unit)} nm`
  if (placeOf(other) === placeOf(input)) return
  throw new ConfigError(
    'SHAPE_MISMATCH',
    `"with": ${name}, ${other.path}, is ${placeOf(other)}, but ${input.path} is ${placeOf(input)}; expected the same shape and placement.`,
  )
}
