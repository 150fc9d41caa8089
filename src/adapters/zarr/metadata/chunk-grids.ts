import { ConfigError } from '../../../core/errors.ts'
import type { AxisChunks } from '../chunks/chunk-grid.ts'
import { namedConfig } from '../codecs/registry.ts'
import type { Json } from './exact-json.ts'
import { show } from './exact-json.ts'
import { parseShape } from './metadata.ts'

/** More chunks along an axis, if they are not equally long, are refused before memory is taken for them. */
const MAX_CHUNKS = 2 ** 20

/** The chunks (or shards) of an array. */
export interface StoredGrid {
  /** The shape of each; of different ones, the longest along each axis. */
  readonly shape: readonly number[]
  /** The chunks of each axis, if not all are equally long. */
  readonly grid?: readonly AxisChunks[]
}

/**
 * The `chunk_grid` of version 3: regular, or rectilinear as the registry of extensions describes it.
 * @throws ConfigError `INVALID_METADATA`, `UNSUPPORTED`
 */
export function parseChunkGrid(value: Json | undefined, shape: readonly number[], where: string): StoredGrid {
  const { name, config } = namedConfig(value, `${where}: chunk_grid`)
  if (name === 'regular') return { shape: parseShape(config.chunk_shape, shape.length, 1, `${where}: chunk_shape`) }
  if (name !== 'rectilinear') {
    const known = 'Bellis reads "regular" and "rectilinear"'
    throw new ConfigError('UNSUPPORTED', `${where}: the chunk grid "${name}" is not supported; ${known}.`)
  }
  if (config.kind !== 'inline') {
    const what = `a rectilinear chunk grid of the kind ${show(config.kind)} is not supported; Bellis reads "inline"`
    throw new ConfigError('UNSUPPORTED', `${where}: ${what}.`)
  }
  const { chunk_shapes: shapes } = config
  if (!Array.isArray(shapes) || shapes.length !== shape.length) {
    const what = `chunk_shapes is ${show(shapes)}; expected an entry for each of the ${shape.length} axes`
    throw new ConfigError('INVALID_METADATA', `${where}: ${what}.`)
  }
  const axes = shapes.map((entry: Json, axis) => parseAxis(entry, shape[axis] as number, `${where}: chunk_shapes`))
  const longest = axes.map((chunks) => (typeof chunks === 'number' ? chunks : longestOf(chunks)))
  return axes.every((chunks) => typeof chunks === 'number') ? { shape: longest } : { shape: longest, grid: axes }
}

/** Chunks that end beyond the array belong to it as they do in a regular grid; those that start beyond it do not count. */
function parseAxis(entry: Json, length: number, what: string): AxisChunks {
  if (typeof entry === 'number') return parseLength(entry, what)
  if (!Array.isArray(entry)) throw wrongEntry(entry, what)
  const starts = [0]
  let end = 0
  const runs = entry.map((run: Json) => parseRun(run, what))
  for (const [edge, count] of runs) {
    const needed = Math.min(count, Math.ceil((length - end) / edge))
    if (runs.length === 1 && needed * edge >= length) return edge
    if (needed + starts.length > MAX_CHUNKS) {
      throw new ConfigError('UNSUPPORTED', `${what} has more than ${MAX_CHUNKS} chunks along an axis; use larger ones.`)
    }
    for (let i = 0; i < needed; i++) starts.push((end += edge))
  }
  if (end < length) {
    throw new ConfigError('INVALID_METADATA', `${what} is ${end} voxels along an axis of ${length}.`)
  }
  const first = starts[1] ?? runs[0]?.[0]
  if (first === undefined) throw wrongEntry(entry, what)
  return starts.every((start, i) => start === i * first) ? first : starts
}

/** A run of chunks as their length and their number. */
function parseRun(run: Json, what: string): readonly [number, number] {
  if (!Array.isArray(run)) return [parseLength(run, what), 1]
  if (run.length !== 2) throw wrongEntry(run, what)
  return [parseLength(run[0] as Json, what), parseLength(run[1] as Json, what)]
}

function parseLength(value: Json, what: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1) return value
  throw wrongEntry(value, what)
}

const wrongEntry = (value: Json, what: string) =>
  new ConfigError(
    'INVALID_METADATA',
    `${what} has the entry ${show(value)}; expected lengths of at least 1, or [length, count].`,
  )

const longestOf = (starts: readonly number[]): number =>
  starts.reduce((longest, start, i) => (i === 0 ? 0 : Math.max(longest, start - (starts[i - 1] as number))), 0)
