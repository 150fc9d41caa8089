import { BYTES_PER_ELEMENT, type DType } from '../../../core/array/dtype.ts'
import { ConfigError } from '../../../core/errors.ts'
import { isFilter, storedType } from '../codecs/filters.ts'
import { type Compressor, parseV2Codec, toV2Config } from '../codecs/registry.ts'
import { isJsonObject, type Json, type JsonObject, show, showName } from './exact-json.ts'
import { fillValueToJson, parseFillValue } from './fill-value.ts'
import { checkCodecCount, parseShape, range, type ZarrMetadata } from './metadata.ts'

const KINDS: Readonly<Record<string, string>> = { b: 'bool', i: 'int', u: 'uint', f: 'float' }

/** NumPy's dtype string: `>u2`. @throws ConfigError `UNSUPPORTED` */
function parseTypestr(value: Json | undefined, where: string): { readonly dtype: DType; readonly bigEndian: boolean } {
  const [, order, kind = '', bytes] = (typeof value === 'string' && /^([<>|])([biuf])(\d)$/.exec(value)) || []
  const name = kind === 'b' ? 'bool' : `${KINDS[kind]}${8 * Number(bytes)}`
  if (
    order !== undefined &&
    Object.hasOwn(BYTES_PER_ELEMENT, name) &&
    BYTES_PER_ELEMENT[name as DType] === Number(bytes)
  ) {
    return { dtype: name as DType, bigEndian: order === '>' }
  }
  const known = Object.keys(BYTES_PER_ELEMENT).join(', ')
  throw new ConfigError('UNSUPPORTED', `${where}: the dtype ${show(value)} is not supported; Bellis reads ${known}.`)
}

function toTypestr(dtype: DType, bigEndian: boolean): string {
  const bytes = BYTES_PER_ELEMENT[dtype]
  return `${bytes === 1 ? '|' : bigEndian ? '>' : '<'}${dtype[0]}${bytes}`
}

/**
 * A `.zarray` file.
 * @param where the file, for messages
 * @throws ConfigError `INVALID_METADATA`, `UNSUPPORTED`, `UNSUPPORTED_CODEC`
 */
export function parseV2Metadata(json: JsonObject, attributes: JsonObject, where: string): ZarrMetadata {
  if (json.zarr_format !== 2) {
    throw new ConfigError('INVALID_METADATA', `${where}: zarr_format is ${show(json.zarr_format)}, not 2.`)
  }
  const shape = parseShape(json.shape, undefined, 0, `${where}: shape`)
  const chunkShape = parseShape(json.chunks, shape.length, 1, `${where}: chunks`)
  const { dtype, bigEndian } = parseTypestr(json.dtype, where)
  const { order = 'C', dimension_separator: separator = '.', compressor, filters } = json
  if (order !== 'C' && order !== 'F') {
    throw new ConfigError('INVALID_METADATA', `${where}: order is ${show(order)}, not "C" or "F".`)
  }
  if (separator !== '.' && separator !== '/') {
    throw new ConfigError('INVALID_METADATA', `${where}: dimension_separator is ${show(separator)}, not "." or "/".`)
  }
  const axes = range(shape.length)
  return {
    zarrFormat: 2,
    shape,
    dtype,
    chunk: {
      dtype,
      shape: chunkShape,
      axisOrder: order === 'C' ? axes : axes.reverse(),
      bigEndian,
      compressors: parseSteps(filters, compressor, dtype, where),
    },
    fill: parseFillValue(dtype, json.fill_value, where),
    keyPrefix: '',
    separator,
    attributes,
  }
}

/** The filters and the compressor, in the order of encoding. */
function parseSteps(
  filters: Json | undefined,
  compressor: Json | undefined,
  dtype: DType,
  where: string,
): Compressor[] {
  const list: readonly Json[] =
    filters === null || filters === undefined ? [] : Array.isArray(filters) ? filters : [filters]
  checkCodecCount(list.length, where)
  const steps: Compressor[] = []
  let current = dtype
  for (const step of isJsonObject(compressor) ? [...list, compressor] : list) {
    const config = isJsonObject(step) ? step : {}
    const parsed = parseV2Codec(showName(config.id), config, current, where)
    steps.push(parsed)
    if (isFilter(parsed)) current = storedType(parsed, current)
  }
  return steps
}

/** The `.zarray` of a new array. */
export function toV2Json(metadata: ZarrMetadata): JsonObject {
  const { chunk, dtype, fill, separator, shape } = metadata
  const [compressor, ...others] = chunk.compressors
  if (others.length > 0) throw new ConfigError('UNSUPPORTED_CODEC', 'Zarr 2 arrays are written with one compressor.')
  return {
    zarr_format: 2,
    shape,
    chunks: chunk.shape,
    dtype: toTypestr(dtype, chunk.bigEndian),
    compressor: compressor === undefined ? null : toV2Config(compressor),
    fill_value: fillValueToJson(dtype, fill, 2),
    order: 'C',
    filters: null,
    dimension_separator: separator,
  }
}
