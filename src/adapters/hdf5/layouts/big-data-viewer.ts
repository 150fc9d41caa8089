import { closeSync, fstatSync, readFileSync, statSync } from 'node:fs'
import type { DType } from '../../../core/array/dtype.ts'
import { ConfigError } from '../../../core/errors.ts'
import { multiplyExactly } from '../../../core/geometry/decimal.ts'
import { addressBeside } from '../../../core/text/address.ts'
import type { ArrayAxis } from '../../../ports/chunked-array.ts'
import type { ExternalFiles } from '../../files/external-files.ts'
import { openFile } from '../../files/open-file.ts'
import { withBytes } from '../../ranges/absent-bytes.ts'
import { openBytes, type RangeOptions } from '../../ranges/open-bytes.ts'
import type { Hdf5File } from '../hdf5-file.ts'
import { HDF5_CLASS, scratchMemory } from '../library.ts'
import { voxelSizeIn } from './big-data-viewer-xml.ts'
import type { ProgramLayout } from './program-layout.ts'

const CELLS = /^t\d{5,}\/s(\d{2,})\/(\d+)\/cells$/
const MOST_XML_BYTES = 64 * 2 ** 20

/**
 * BigDataViewer's HDF5: `t00000/s00/0/cells`. Voxels of 16 bits are stored as int16 and meant as uint16. The factors of a level are in the
 * file, and the voxel size in the XML file beside it. https://imagej.net/plugins/bdv/#file-format
 * @throws ConfigError `UNSUPPORTED` for an XML file that a link puts elsewhere
 */
export function bigDataViewerLayout(
  file: Hdf5File,
  inner: string,
  stored: DType,
  external: ExternalFiles,
  xmlBehindAddress: string | undefined,
): ProgramLayout | undefined {
  const [, setup, level] = CELLS.exec(inner) ?? []
  if (setup === undefined || level === undefined) return undefined
  const factors = resolutionsOf(file, `s${setup}/resolutions`)[Number(level)]
  if (factors === undefined) return undefined
  const voxel = voxelSizeIn(xmlBehindAddress ?? xmlBeside(file.path, external), Number(setup))
  const axes = ['z', 'y', 'x'].map((name, i): ArrayAxis => {
    const scale = multiplyExactly(voxel?.size[2 - i] ?? 1, factors[2 - i] as number)
    return { name, type: 'space', scale, ...(voxel === undefined ? {} : { unit: voxel.unit }) }
  })
  return { axes, ...(stored === 'int16' ? { dtype: 'uint16' } : {}) }
}

/** The text of the XML file beside a file behind an address; undefined for files on disks, and for datasets of other programs. */
export async function fetchXmlBeside(file: Hdf5File, inner: string, ranges: RangeOptions): Promise<string | undefined> {
  if (!file.bytes.isRemote || !CELLS.test(inner)) return undefined
  const name = file.path.slice(file.path.lastIndexOf('/') + 1).replace(/\.[^./]*$/, '.xml')
  try {
    using xml = await openBytes(addressBeside(file.container, name), ranges)
    if (xml.byteLength > MOST_XML_BYTES) return ''
    const text = Buffer.alloc(xml.byteLength)
    await withBytes(() => xml.read(text, 0))
    return text.toString()
  } catch (error) {
    if (error instanceof ConfigError) return ''
    throw error
  }
}

/** The factors of each level: x, y, z. */
function resolutionsOf(file: Hdf5File, path: string): number[][] {
  if (file.kindOf(path) !== 'array') return []
  const { shape, type, size } = file.call((hdf5, id) => hdf5.get_dataset_metadata(id, `/${path}`))
  const [levels = 0, axes = 0] = shape ?? []
  if (type !== HDF5_CLASS.float || size !== 8 || axes !== 3 || levels > 1000) return []
  const bytes = levels * axes * 8
  const pointer = scratchMemory(file.library, Math.max(8, bytes))
  file.library.HEAPU8.fill(0, pointer, pointer + bytes)
  const [count, start, step] = [
    [BigInt(levels), 3n],
    [0n, 0n],
    [1n, 1n],
  ]
  file.call((hdf5, id) => hdf5.get_dataset_data(id, `/${path}`, count, start, step, BigInt(pointer)))
  const values = new Float64Array(file.library.HEAPU8.slice(pointer, pointer + bytes).buffer)
  const rows = Array.from({ length: levels }, (_, level) => [...values.subarray(3 * level, 3 * level + 3)])
  return rows.every((row) => row.every((factor) => Number.isFinite(factor) && factor > 0)) ? rows : []
}

/**
 * The text of `data.xml` beside `data.h5`; '' if there is none that could be one.
 * @throws ConfigError `UNSUPPORTED` for a link that leads elsewhere
 */
function xmlBeside(path: string, external: ExternalFiles): string {
  const xml = path.replace(/\.[^./]*$/, '.xml')
  const found = statSync(xml, { throwIfNoEntry: false })
  if (!found?.isFile() || found.size > MOST_XML_BYTES) return ''
  const what = `The file beside ${path} that has its voxel size`
  external.assertAllowed(xml, what)
  let file: number | undefined
  try {
    file = openFile(xml, { check: (opened) => external.assertHolds(opened, xml, what) })
    return fstatSync(file).size > MOST_XML_BYTES ? '' : readFileSync(file, 'utf8')
  } catch (error) {
    if (error instanceof ConfigError && error.code === 'UNSUPPORTED') throw error
    return ''
  } finally {
    if (file !== undefined) closeSync(file)
  }
}
