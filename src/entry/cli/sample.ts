import { existsSync } from 'node:fs'
import { Command, Option } from 'commander'
import { ConfigError } from '../../core/errors.ts'
import { showDuration } from '../../core/text/numbers.ts'
import { writeSampleFile } from '../../sample/write-sample.ts'
import { downloadSample, SAMPLES, type SampleName } from './download-sample.ts'
import { voxelShape, wholeNumber } from './option-values.ts'
import { type CommonOptions, commonOptions } from './options.ts'
import { printJson, say } from './output.ts'

interface SampleFlags extends CommonOptions {
  readonly size?: number[]
  readonly seed?: number
  readonly download?: SampleName
  readonly from?: string
  readonly overwrite?: boolean
}

/** `bellis sample` */
export function sampleCommand(): Command {
  const command = new Command('sample')
    .description(
      'Writes an HDF5 file in the layout of CREMI sample A: synthetic neural tissue, reproducible by its seed.',
    )
    .argument('<out.hdf>', 'file to write')
    .option('--size <z,y,x>', 'shape in voxels (default: 64,512,512)', voxelShape)
    .option('--seed <n>', 'seed of the tissue (default: 1)', wholeNumber(0))
    .addOption(
      new Option(
        '--download <name>',
        "download a real sample from CREMI's site instead: hundreds of megabytes",
      ).choices(SAMPLES),
    )
    .option('--from <url>', "URL to download instead of CREMI's: a file, or a folder ending in a slash")
    .option('--overwrite', 'replace an existing file')
  return commonOptions(command)
    .addHelpText('after', '\nExample:\n  $ bellis sample tissue.hdf --size 32,256,256 --seed 7')
    .action(async (path: string, flags: SampleFlags) => {
      const { download, from, seed = 1, size = [64, 512, 512] } = flags
      checkDownload(flags)
      if (size.length !== 3) {
        throw new ConfigError('RANK_MISMATCH', `--size ${size.join(',')}: expected three numbers z,y,x.`)
      }
      if (!flags.overwrite && existsSync(path)) {
        throw new ConfigError('DATASET_EXISTS', `${path} exists; choose another name, or replace it with --overwrite.`)
      }
      if (download !== undefined) return downloadSample(path, download, from, flags)
      await writeSample(path, size as [number, number, number], seed, flags)
      if (flags.json) printJson({ path, size, seed })
    })
}

function checkDownload({ download, from, size, seed }: SampleFlags): void {
  if (download === undefined && from !== undefined) {
    throw new ConfigError('INVALID_CONFIG', '--from needs --download A, B or C.')
  }
  if (download !== undefined && (size !== undefined || seed !== undefined)) {
    throw new ConfigError('INVALID_CONFIG', '--size and --seed do not apply to --download; leave them out.')
  }
}

/** Writes a sample and prints how long it took. @param size z, y, x */
export async function writeSample(
  path: string,
  size: readonly [number, number, number],
  seed: number,
  flags: CommonOptions,
): Promise<void> {
  const start = performance.now()
  await writeSampleFile(path, { size, seed })
  say(flags, `${path}: ${size.join(' × ')} voxels, seed ${seed}, ${showDuration((performance.now() - start) / 1000)}`)
}
