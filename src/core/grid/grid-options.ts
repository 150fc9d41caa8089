import { ConfigError } from '../errors.ts'
import { showCoordinate } from '../geometry/coordinate.ts'
import { type Roi, roi, showRoi } from '../geometry/roi.ts'

const FITS = ['valid', 'overhang', 'shrink'] as const
/**
 * What happens at the high end of an axis whose length is not a multiple of the block's: `valid` leaves the rest unwritten,
 * `overhang` lets the last block extend beyond the end, `shrink` cuts it.
 */
export type Fit = (typeof FITS)[number]

/** How a task cuts its volume into blocks. All Rois in world units, whole numbers, slowest axis first. */
export interface BlockGridOptions {
  /** everything the task may read */
  readonly totalRoi: Roi
  /** one block's read Roi; only its shape and its place relative to `writeRoi` count */
  readonly readRoi: Roi
  /** one block's write Roi, inside `readRoi` */
  readonly writeRoi: Roi
  /** @default 'valid' */
  readonly fit?: Fit
  /** whether two blocks must not run together if one reads what the other one writes @default true */
  readonly readWriteConflict?: boolean
}

/** Only the grid options of an object, to be sent or compared. */
export const gridOptions = ({
  totalRoi,
  readRoi,
  writeRoi,
  fit,
  readWriteConflict,
}: BlockGridOptions): BlockGridOptions => ({
  totalRoi,
  readRoi,
  writeRoi,
  ...(fit === undefined ? {} : { fit }),
  ...(readWriteConflict === undefined ? {} : { readWriteConflict }),
})

const ROI_NAMES = ['totalRoi', 'readRoi', 'writeRoi'] as const

/**
 * The options as a grid needs them, defaults filled in.
 * @param who start of every message
 * @throws ConfigError `INVALID_CONFIG`, `INVALID_ROI`, `INVALID_COORDINATE`, `RANK_MISMATCH`
 */
export function checkGridOptions(options: BlockGridOptions, who: string): Required<BlockGridOptions> {
  const { fit = 'valid', readWriteConflict = true } = options
  if (!FITS.includes(fit)) {
    throw new ConfigError('INVALID_CONFIG', `${who}fit is ${JSON.stringify(fit)}; expected ${FITS.join(', ')}.`)
  }
  for (const name of ROI_NAMES) assertRoi(name, options[name], who)
  for (const name of ROI_NAMES) assertShape(name, options, who)
  const [totalRoi, readRoi, writeRoi] = ROI_NAMES.map((name) => roi(options[name].offset, options[name].shape))
  return { totalRoi: totalRoi!, readRoi: readRoi!, writeRoi: writeRoi!, fit, readWriteConflict }
}

/** Checks at run time what the types require, since not every caller is type-checked. */
function assertRoi(name: string, value: Partial<Roi> | undefined, who: string): void {
  const { offset, shape } = value ?? {}
  if (!(Array.isArray(offset) && Array.isArray(shape))) {
    const problem = value === undefined ? 'is missing' : 'is not a Roi'
    throw new ConfigError('INVALID_ROI', `${who}${name} ${problem}; pass { offset: [0, 0, 0], shape: [64, 64, 64] }.`)
  }
  const isWhole = [...offset, ...shape].every(Number.isSafeInteger)
  if (isWhole && shape.every((length, axis) => Number.isSafeInteger((offset[axis] ?? 0) + length))) return
  throw new ConfigError(
    'INVALID_COORDINATE',
    `${who}${name} ${offset.join(',')}:${shape.join(',')}: expected whole numbers and an end below 2^53.`,
  )
}

function assertShape(name: (typeof ROI_NAMES)[number], options: BlockGridOptions, who: string): void {
  const { offset, shape } = options[name]
  const rank = options.writeRoi.shape.length
  if (offset.length !== rank || shape.length !== rank || rank === 0) {
    throw new ConfigError(
      'RANK_MISMATCH',
      `${who}${name} ${showRoi(options[name])} has ${offset.length} and ${shape.length} axes, but writeRoi ${showRoi(options.writeRoi)} has ${rank}; expected the same number, at least 1.`,
    )
  }
  if (shape.some((length) => length < 0) || (name !== 'totalRoi' && shape.some((length) => length === 0))) {
    throw new ConfigError(
      'INVALID_ROI',
      `${who}${name} ${showRoi(options[name])} has the shape ${showCoordinate(shape)}; expected a length of at least 1 on every axis.`,
    )
  }
}
