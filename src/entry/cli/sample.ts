import { existsSync } from 'node:fs'
import { Command, Option } from 'commander'
import { ConfigError } from '../../core/errors.ts'
import { showDuration } from '../../core/text/numbers.ts'
import { writeSampleFile } from '../../sample/write-sample.ts'
import { downloadSample, SAMPLES, type SampleName } from './download-sample.ts'
import { type CommonOptions, commonOptions, voxelShape, wholeNumber } from './options.ts'
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
      'Writes an HDF5 file in the layout of CREMI sample A: synthetic neural tissue, the same bytes for the same seed.',
    )
    .argument('<out.hdf>', 'file to write')
    .option('--size <z,y,x>', 'voxels (default: 64,512,512)', voxelShape)
    .option('--seed <n>', 'which tissue (default: 1)', wholeNumber(0))
    .addOption(
      new Option('--download <name>', "the real sample instead, from CREMI's site: hundreds of megabytes").choices(
        SAMPLES,
      ),
    )
    .option('--from <url>', 'where the download is instead: the file, or the folder of the three, ending in a slash')
    .option('--overwrite', 'replace a file that exists')
  return commonOptions(command)
    .addHelpText('after', '\nExample:\n  $ bellis sample tissue.hdf --size 32,256,256 --seed 7')
    .action(async (path: string, flags: SampleFlags) => {
      const { download, from, seed = 1, size = [64, 512, 512] } = flags
      checkDownload(flags)
      if (size.length !== 3) {
        throw new ConfigError(
          'RANK_MISMATCH',
          `The size of a sample is three numbers z,y,x, but this is ${size.join(',')}.`,
        )
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
    throw new ConfigError(
      'INVALID_CONFIG',
      '--from says where --download finds its file; give --download A, B or C, too.',
    )
  }
  if (download !== undefined && (size !== undefined || seed !== undefined)) {
    throw new ConfigError('INVALID_CONFIG', 'What is downloaded has its own size; leave out --size and --seed.')
  }
}

/** Writes a sample and says how long it took. @param size z, y, x */
export async function writeSample(
  path: string,
  size: readonly [number, number, number],
  seed: number,
  flags: CommonOptions,
): Promise<void> {
  const begun = performance.now()
  await writeSampleFile(path, { size, seed })
  say(flags, `${path}: ${size.join(' × ')} voxels, seed ${seed}, ${showDuration((performance.now() - begun) / 1000)}`)
}
