import { ConfigError } from '../../core/errors.ts'
import { splitQuery } from '../../core/text/address.ts'
import type { ByteFile } from '../../ports/byte-file.ts'
import type { ArrayFormat } from '../../ports/chunked-array.ts'
import { ExternalFiles } from '../files/external-files.ts'
import { singleArrayFormat } from '../files/single-array-format.ts'
import { openBytes, type RangeOptions } from '../ranges/open-bytes.ts'
import { FlatArray } from './flat-array.ts'
import type { FlatKind, FlatLayout } from './flat-layout.ts'
import { headerSource } from './header-source.ts'
import { metaImage } from './metaimage.ts'
import { mrc } from './mrc.ts'
import { nifti } from './nifti.ts'
import { npy } from './npy.ts'
import { nrrd } from './nrrd.ts'
import { VoxelBytes } from './voxel-bytes.ts'

/** Files of one array each: a header, and all voxels in one piece. */
export const FLAT_KINDS: readonly FlatKind[] = [npy, nifti, mrc, nrrd, metaImage]

/** Bytes from which each kind can be told. */
export const TELLING_BYTES = 352

export interface FlatFormatOptions {
  /** Whether files outside the folder of a header may be read, if it names them. @default no */
  readonly allowExternal?: () => boolean
  /** How files behind addresses are read. */
  readonly ranges?: RangeOptions
}

/** MRC, NIfTI, NRRD, MetaImage and NumPy files, for reading. */
export function flatFormat(options: FlatFormatOptions = {}): ArrayFormat {
  const { allowExternal = () => false, ranges = {} } = options
  return singleArrayFormat('flat', async (path, { allowExternal: isAllowed = allowExternal() }) => {
    // Headers name files without the query of a signed address.
    const { query } = splitQuery(path)
    using file = await openBytes(path, ranges)
    const external = new ExternalFiles(isAllowed ? undefined : file.path)
    const check = (opened: number, name: string) =>
      external.assertHolds(opened, name, `${file.path} has its voxels in a file that`)
    const open = (name: string, namedBy?: string) => openBytes(name + query, { ...ranges, namedBy, check })
    const { kind, layout } = await readLayout(file, external, open)
    const voxels = new VoxelBytes(layout.stretches, layout.packing, open)
    try {
      await voxels.assertComplete(file.path)
      return new FlatArray(file.path, kind.format, layout, voxels)
    } catch (error) {
      voxels[Symbol.dispose]()
      throw error
    }
  })
}

async function readLayout(
  file: ByteFile,
  external: ExternalFiles,
  open: (path: string) => Promise<ByteFile>,
): Promise<{ kind: FlatKind; layout: FlatLayout }> {
  const source = await headerSource(file, external, open)
  const start = await source.start(TELLING_BYTES)
  const kind = FLAT_KINDS.find(({ matches }) => matches(start))
  if (kind !== undefined) return { kind, layout: await kind.read(source) }
  const expected = FLAT_KINDS.find(({ suffix }) => suffix.test(file.path))
  throw new ConfigError(
    'INVALID_METADATA',
    `${file.path} does not start as a file of the format ${expected?.format ?? 'that its name says'} does; check that it is one, and complete.`,
  )
}
