import { zarrFormat } from '../../adapters/zarr/zarr-format.ts'
import { markInZip, othersInZip } from '../../adapters/zarr/zip/packed-container.ts'
import { ConfigError } from '../../core/errors.ts'
import { given } from '../../core/given.ts'
import type { CreateArrayOptions } from '../../ports/chunked-array.ts'
import type { PackedFormat } from './packed-arrays.ts'
import type { PackedFile } from './packed-file.ts'

export const isOme = ({ path }: PackedFile): boolean => /\.ozx$/i.test(path)

/** Zip files of Zarr. */
export const zipFiles: PackedFormat = {
  reader: zarrFormat(),
  optionsFor: zipOptions,
  markIn: markInZip,
  othersIn: othersInZip,
}

/** Zip files have what folders have; those of OME-NGFF are Zarr 3. */
function zipOptions(file: PackedFile, options: CreateArrayOptions): CreateArrayOptions {
  if (isOme(file) && options.zarrFormat === 2) {
    throw new ConfigError(
      'UNSUPPORTED',
      `${file.path}: .ozx files have Zarr 3; omit the version, or write out.zarr.zip.`,
    )
  }
  return { ...options, ...given({ zarrFormat: isOme(file) ? 3 : options.zarrFormat }) }
}
