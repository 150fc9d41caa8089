import type { DType } from '../../../core/array/dtype.ts'
import type { ExternalFiles } from '../../files/external-files.ts'
import type { Hdf5File } from '../hdf5-file.ts'
import { bigDataViewerLayout } from './big-data-viewer.ts'
import { imarisLayout } from './imaris.ts'
import type { ProgramLayout } from './program-layout.ts'

/**
 * @param inner the path of the dataset
 * @param xmlBehindAddress the XML file beside a file that is on no disk
 * @returns undefined for a dataset in no layout that is known
 */
export function knownLayout(
  file: Hdf5File,
  inner: string,
  stored: { readonly dtype: DType; readonly shape: readonly number[] },
  external: ExternalFiles,
  xmlBehindAddress: string | undefined,
): ProgramLayout | undefined {
  return stored.shape.length === 3
    ? (imarisLayout(file, inner, stored.shape) ??
        bigDataViewerLayout(file, inner, stored.dtype, external, xmlBehindAddress))
    : undefined
}
