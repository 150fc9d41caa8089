import { hdf5Format, othersInHdf5 } from '../../adapters/hdf5/hdf5-format.ts'
import { type NewDataset, WRITTEN_DTYPES } from '../../adapters/hdf5/writing/write-arrays.ts'
import { placementAttributes } from '../../adapters/zarr/metadata/placement-attributes.ts'
import { BYTES_PER_ELEMENT } from '../../core/array/dtype.ts'
import { ConfigError } from '../../core/errors.ts'
import { productOf, showCoordinate } from '../../core/geometry/coordinate.ts'
import { PROVENANCE, storedProvenance } from '../../core/progress/array-provenance.ts'
import type { ChunkedArray, CreateArrayOptions } from '../../ports/chunked-array.ts'
import type { PackedFormat } from './packed-arrays.ts'
import type { PackedFile } from './packed-file.ts'

/** The default of `convert`, which means gzip here: every HDF5 library has it. */
const DEFAULT_CODEC = 'zstd:3'
const GZIP_LEVEL = 4
/** More can't be read again: the library decodes a chunk in its memory. */
const MOST_CHUNK_BYTES = 256 * 2 ** 20

const reader = hdf5Format()

/** HDF5 files. */
export const hdf5Files: PackedFormat = {
  reader,
  optionsFor: hdf5Options,
  othersIn: othersInHdf5,
  async markIn(path, inner) {
    await using array = await reader.open(path, inner)
    const found = storedProvenance(array.attributes) as { readonly mark?: unknown } | null | undefined
    return found?.mark === undefined ? undefined : JSON.stringify(found.mark)
  },
}

/** An array in the folder beside a file has the chunks and the compression that its dataset gets. */
function hdf5Options({ path, inner }: PackedFile, options: CreateArrayOptions): CreateArrayOptions {
  const { dtype, shape, chunkShape, shardShape, fillValue = 0, zarrFormat, codec = DEFAULT_CODEC } = options
  const refuse = (why: string) => new ConfigError('UNSUPPORTED', `${path}: ${why}.`)
  if (inner === '') throw refuse('expected the name of a dataset in the file, such as out.h5/raw')
  if (!WRITTEN_DTYPES.includes(dtype)) {
    throw refuse(
      `HDF5 files are written with ${WRITTEN_DTYPES.join(', ')}, not with ${dtype}; convert it first: bellis map … --expr x --dtype`,
    )
  }
  if (shardShape !== undefined) throw refuse('HDF5 has no shards; omit the shard shape')
  if (Number(fillValue) !== 0)
    throw refuse(`missing chunks of HDF5 files that Bellis writes are 0, not ${fillValue}; use 0`)
  if (zarrFormat === 2) throw refuse('it is HDF5, not Zarr; omit the version of Zarr')
  if (shape.includes(0)) throw refuse('a dataset has at least one voxel')
  const [name, level = ''] = (codec === DEFAULT_CODEC ? `gzip:${GZIP_LEVEL}` : codec).split(':')
  if (name !== 'gzip' && name !== 'raw') {
    throw new ConfigError(
      'UNSUPPORTED_CODEC',
      `${path}: HDF5 files are written raw or with gzip, not with ${codec}; use gzip:4.`,
    )
  }
  const chunk = chunkShape?.map((length, axis) => Math.min(length, shape[axis] ?? length))
  if (chunk !== undefined && productOf(chunk) * BYTES_PER_ELEMENT[dtype] > MOST_CHUNK_BYTES) {
    throw refuse(`chunks of ${showCoordinate(chunk)} are larger than 256 MiB; use smaller ones`)
  }
  const { likeFill: _, ...others } = options
  return {
    ...others,
    ...(chunk === undefined ? {} : { chunkShape: chunk }),
    codec: name === 'raw' ? 'raw' : `gzip:${level || GZIP_LEVEL}`,
  }
}

/**
 * The dataset that an array in the folder becomes: its placement in attributes that CREMI's and funlib's readers know, and the mark of its run
 * with what made it.
 */
export function datasetOf(inner: string, array: ChunkedArray, mark: unknown): NewDataset {
  const level = /^gzip:(\d)$/.exec(array.codecs[0] ?? '')?.[1]
  const { dimension_units: _, ...placement } = placementAttributes(array.axes, 3)
  const names = { axis_names: array.axes.map(({ name }) => name), types: array.axes.map(({ type }) => type) }
  const { [PROVENANCE]: made, ...attributes } = array.attributes
  return {
    inner,
    array,
    level: level === undefined ? undefined : Number(level),
    attributes: {
      ...attributes,
      ...names,
      ...placement,
      ...(made === undefined ? {} : { [PROVENANCE]: JSON.stringify({ ...(made as object), mark }) }),
    },
  }
}
