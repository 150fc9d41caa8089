import { ConfigError } from '../../core/errors.ts'
import type { ArrayFormat } from '../../ports/chunked-array.ts'
import { singleArrayFormat } from '../files/single-array-format.ts'
import { FlatArray } from './flat-array.ts'
import type { FlatKind, FlatLayout } from './flat-layout.ts'
import { headerSource } from './header-source.ts'
import { metaImage } from './metaimage.ts'
import { mrc } from './mrc.ts'
import { nifti } from './nifti.ts'
import { npy } from './npy.ts'
import { nrrd } from './nrrd.ts'
import { assertComplete } from './voxel-bytes.ts'

/** Files of one array each: a header, and all voxels in one piece. */
export const FLAT_KINDS: readonly FlatKind[] = [npy, nifti, mrc, nrrd, metaImage]

/** Bytes from which each kind can be told. */
export const TELLING_BYTES = 352

export interface FlatFormatOptions {
  /** Whether files outside the folder of a header may be read, if it names them. @default no */
  readonly allowExternal?: () => boolean
}

/** MRC, NIfTI, NRRD, MetaImage and NumPy files, for reading. */
export function flatFormat(options: FlatFormatOptions = {}): ArrayFormat {
  const { allowExternal = () => false } = options
  return singleArrayFormat(
    'flat',
    'files of its format',
    async (path, { allowExternal: isAllowed = allowExternal() }) => {
      const { kind, layout } = await readLayout(path, isAllowed)
      assertComplete(path, layout.stretches, layout.packing)
      return new FlatArray(path, kind.format, layout)
    },
  )
}

async function readLayout(path: string, allowExternal: boolean): Promise<{ kind: FlatKind; layout: FlatLayout }> {
  const source = headerSource(path, allowExternal)
  const start = await source.start(TELLING_BYTES)
  const kind = FLAT_KINDS.find(({ matches }) => matches(start))
  if (kind !== undefined) return { kind, layout: await kind.read(source) }
  const expected = FLAT_KINDS.find(({ suffix }) => suffix.test(path))
  throw new ConfigError(
    'INVALID_METADATA',
    `${path} does not start as a file of the format ${expected?.format ?? 'that its name says'} does; check that it is one, and complete.`,
  )
}
