import { Command } from 'commander'
import { pyramidKeys } from '../../adapters/zarr/stored-arrays.ts'
import { BYTES_PER_ELEMENT } from '../../core/array/dtype.ts'
import { BlockwiseError, unlessForbidden } from '../../core/errors.ts'
import { countElements } from '../../core/geometry/coordinate.ts'
import { showRoiInNm } from '../../core/geometry/roi-text.ts'
import { toNanometers } from '../../core/geometry/world-unit.ts'
import { isAddress } from '../../core/text/address.ts'
import { showBytes } from '../../core/text/numbers.ts'
import { printableLine } from '../../core/text/printable.ts'
import { hideQueries } from '../../core/text/shown-address.ts'
import type { StoredFormat } from '../../ports/chunked-array.ts'
import type { VolumeArray } from '../../runtime/volumes/volume-array.ts'
import { allowExternal, findDataset, openArray } from '../arrays.ts'
import { ownCommand } from '../own-command.ts'
import { describeProvenance } from '../run-folder/provenance/describe-provenance.ts'
import { findingsOfArray } from '../run-folder/provenance/findings-of-run.ts'
import { describeUnfinished } from '../run-folder/provenance/unfinished-arrays.ts'
import { labelled, withCommand, wrapped } from './layout.ts'
import { type CommonOptions, dataOptions, type PlacementFlags, placedPath, placementOptions } from './options.ts'
import { paint, printJson } from './output.ts'
import { type Column, table } from './table.ts'

const MAX_LISTED = 1000

const FORMAT_NAMES: Readonly<Record<StoredFormat, string>> = {
  zarr2: 'Zarr 2', zarr3: 'Zarr 3', hdf5: 'HDF5', n5: 'N5', precomputed: 'Neuroglancer precomputed', mrc: 'MRC', nifti: 'NIfTI', nrrd: 'NRRD', npy: 'NumPy',
  metaimage: 'MetaImage', tiff: 'TIFF', png: 'PNG', stack: 'a stack of images', memory: 'memory',
} // biome-ignore format: a table

/** `bellis info` */
export function infoCommand(): Command {
  const command = new Command('info')
    .description('Describes a dataset, or every dataset in a group or container.')
    .argument('<dataset...>', 'dataset, group or container: sample.hdf/volumes/raw, out.zarr')
  return placementOptions(dataOptions(command))
    .addHelpText('after', '\nExample:\n  $ bellis info sample.hdf/volumes/raw out.zarr')
    .action(async (paths: string[], options: CommonOptions & PlacementFlags) => {
      const documents: InfoDocument[] = []
      for (const path of paths)
        for (const dataset of await datasetsAt(path, options.json ?? false))
          documents.push(await inspect(dataset, options))
      if (options.json) printJson(documents.length === 1 && paths.length === 1 ? documents[0] : documents)
      else
        process.stdout.write(
          `${documents.length > 1 ? describeAll(documents, paths) : documents.map(describe).join('')}\n`,
        )
    })
}

/**
 * The dataset itself; for a group, the datasets in it.
 * @param opensPyramid whether a group with a pyramid is its finest array, also if there are datasets beside the pyramid
 */
async function datasetsAt(path: string, opensPyramid: boolean): Promise<string[]> {
  try {
    const array = await openArray(path)
    await array.close()
    const beside = opensPyramid || !isBelow(array.path, path) ? [] : await besidePyramid(path)
    return beside.length === 0 ? [path] : beside
  } catch (error) {
    if (!(error instanceof BlockwiseError && error.code === 'NOT_A_DATASET')) throw error
    const found = await datasetsIn(path)
    if (found.length === 0) throw error
    return found.map(([, full]) => full)
  }
}

type Listed = readonly [key: string, path: string]

async function datasetsIn(path: string): Promise<Listed[]> {
  const { format, container, inner } = findDataset(path)
  const entries = await format.list(container, inner, { limit: MAX_LISTED })
  const [, address, query = ''] = /^(https?:\/\/[^?]*)(\?.*)$/i.exec(container) ?? [undefined, container]
  return entries.flatMap(({ kind, path: key }) =>
    kind === 'array' ? [[key, `${address}/${key}${query}`] as const] : [],
  )
}

/** All datasets in the group of a pyramid; none if there are no others than its levels, or if that can't be found out. */
async function besidePyramid(path: string): Promise<string[]> {
  const { format, container, inner } = findDataset(path)
  if (format.name !== 'zarr' || isAddress(container)) return []
  try {
    const levels = new Set(await pyramidKeys(container, inner, allowExternal()))
    const all = await datasetsIn(path)
    return all.every(([key]) => levels.has(key)) ? [] : all.map(([, full]) => full)
  } catch {
    return []
  }
}

/** Whether an array is in a group. */
const isBelow = (array: string, group: string): boolean => array.startsWith(`${group.replace(/\/+$/, '')}/`)

type InfoDocument = Awaited<ReturnType<typeof inspect>>

async function inspect(path: string, flags: PlacementFlags) {
  let array: VolumeArray
  try {
    array = await openArray(placedPath(path, flags))
  } catch (error) {
    if (error instanceof BlockwiseError)
      return { path: hideQueries(path), error: { code: error.code, message: error.message } }
    throw error
  }
  const nm = (values: readonly number[]) => values.map((value) => toNanometers(value, array.unit))
  // Some buckets can be read, but not listed.
  const chunks = await unlessForbidden(array.countStoredChunks?.())
  await array.close()
  const unfinished = await describeUnfinished(array)
  const findings = await findingsOfArray(array)
  // The path of a pyramid's group opens its finest array.
  return {
    path: isBelow(array.path, path) ? array.path : hideQueries(path),
    format: array.format,
    shape: array.shape,
    dtype: array.dtype,
    bytes: countElements(array.shape) * BigInt(BYTES_PER_ELEMENT[array.dtype]),
    chunkShape: array.chunkShape,
    shardShape: array.shardShape ?? null,
    chunksVary: array.chunksVary ?? false,
    order: array.order,
    codecs: array.codecs,
    fillValue: array.fillValue,
    axes: array.axes.map((axis) => axis.name),
    unit: 'nm' as const,
    voxelSize: nm(array.voxelSize),
    offset: nm(array.offset),
    roi: { offset: nm(array.roi.offset), shape: nm(array.roi.shape) },
    roiText: showRoiInNm(array.roi, array.unit),
    worldUnit: array.unit,
    chunksStored: chunks?.stored ?? null,
    chunksTotal: chunks?.total ?? null,
    attributes: array.attributes,
    warnings: array.warnings ?? [],
    unfinished: unfinished ?? null,
    olderBlocks: findings?.olderBlocks ?? [],
    changedInputs: findings?.changedInputs ?? [],
    findings: findings?.texts ?? [],
  }
}

const COLUMNS: readonly Column[] = [
  { name: 'DATASET', least: 24 },
  { name: 'SHAPE' },
  { name: 'TYPE', givesWay: 4 },
  { name: 'SIZE', givesWay: 5 },
  { name: 'CHUNKS', givesWay: 1 },
  { name: 'STORED', givesWay: 2 },
  { name: 'VOXEL (nm)', givesWay: 3 },
]

/**
 * A table with a line per dataset, and how to see the details of one.
 * @param paths what the user has named: of a single container, a terminal shows the paths within it
 */
function describeAll(documents: readonly InfoDocument[], paths: readonly string[]): string {
  const container = `${hideQueries(paths[0] ?? '').replace(/\/+$/, '')}/`
  const isOne = process.stdout.isTTY && paths.length === 1 && documents.every(({ path }) => path.startsWith(container))
  const rows = documents.map((info) => {
    const name = isOne ? info.path.slice(container.length) : info.path
    return info.error === undefined ? [name, ...cellsOf(info)] : [name, reasonOf(info)]
  })
  const { header, rows: lines, leftOut } = table(COLUMNS, rows)
  const [first, ...others] = documents
  const shown = others.reduce((best, info) => (isMore(info, best) ? info : best), first)
  return [
    ...(isOne ? [`${paint('bold', printableLine(container.slice(0, -1)))}:`] : []),
    ...(header === undefined ? [] : [header]),
    ...lines,
    ...(leftOut.length === 0 ? [] : [wrapped(`A wider terminal also shows: ${leftOut.join(', ').toLowerCase()}`, 2)]),
    withCommand('Details of one', ownCommand('info', shown?.path ?? '')),
  ].join('\n')
}

/** Whether a dataset can be read and has more axes, or is larger, than another: it is not one of the tables beside a volume. */
function isMore({ shape, bytes = -1n }: InfoDocument, other: InfoDocument | undefined): boolean {
  const axes = (shape?.length ?? 0) - (other?.shape?.length ?? 0)
  return axes > 0 || (axes === 0 && bytes > (other?.bytes ?? -1n))
}

/** Why a dataset can't be read; its path is beside it already. */
function reasonOf({ path, error: { message } }: { path: string; error: { message: string } }): string {
  const name = [`"${path}" `, `${path} `, `${path}/`].find((start) => message.startsWith(start)) ?? ''
  return message.slice(name.length)
}

function cellsOf(info: Exclude<InfoDocument, { readonly error: object }>): string[] {
  const { chunksStored, chunksTotal, shardShape, chunkShape } = info
  return [
    info.shape.join(' × '),
    info.dtype,
    showBytes(info.bytes),
    longest(info, shardShape ?? chunkShape),
    chunksTotal === null ? '' : chunksStored === chunksTotal ? 'all' : `${chunksStored} of ${chunksTotal}`,
    info.voxelSize.join(' × '),
  ]
}

/** The shape of chunks or shards; where they differ, that of the longest along each axis. */
const longest = ({ chunksVary }: { readonly chunksVary: boolean }, shape: readonly number[]): string =>
  `${chunksVary ? 'up to ' : ''}${shape.join(' × ')}`

function describe(info: InfoDocument): string {
  if ('error' in info) return `${paint('bold', printableLine(info.path))}\n  ${printableLine(info.error.message)}`
  const { chunksStored, chunksTotal, shardShape } = info
  const rows: (readonly [string, string])[] = [
    ['format', FORMAT_NAMES[info.format]],
    ['shape', `${info.shape.join(' × ')} (${info.axes.join(', ')}), ${info.dtype}, ${showBytes(info.bytes)}`],
    [
      'chunks',
      `${shardShape === null ? longest(info, info.chunkShape) : info.chunkShape.join(' × ')}${chunksTotal === null ? '' : `, ${chunksStored} of ${chunksTotal} ${shardShape === null ? '' : 'shards '}stored`}`,
    ],
    ...(shardShape === null ? [] : [['shards', longest(info, shardShape)] as const]),
    ['codecs', info.codecs.length === 0 ? 'raw' : info.codecs.join(', ')],
    ['fill value', String(info.fillValue)],
    ['voxel size', `${info.voxelSize.join(' × ')} nm`],
    ['offset', `${info.offset.join(', ')} nm`],
    ['roi', `${info.roiText} nm`],
    ...describeProvenance(info.attributes),
    ...info.warnings.map((warning) => ['warning', `${warning}.`] as const),
    ...(info.unfinished === null ? [] : [['unfinished', info.unfinished] as const]),
    ...info.findings.map((text) => ['outdated', text] as const),
  ]
  return [paint('bold', printableLine(info.path)), ...labelled(rows)].join('\n')
}
