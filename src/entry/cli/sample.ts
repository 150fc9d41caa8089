import { existsSync } from 'node:fs'
import { Command } from 'commander'
import { writeSampleFile } from '../../adapters/hdf5/write-sample.ts'
import { ConfigError } from '../../core/errors.ts'
import { type CommonOptions, commonOptions, voxelShape, wholeNumber } from './options.ts'
import { printJson, say, showDuration } from './output.ts'

interface SampleFlags extends CommonOptions {
  readonly size?: number[]
  readonly seed: number
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
    .option('--seed <n>', 'which tissue', wholeNumber(0), 1)
    .option('--overwrite', 'replace a file that exists')
  return commonOptions(command)
    .addHelpText('after', '\nExample:\n  $ bellis sample tissue.hdf --size 32,256,256 --seed 7')
    .action(async (path: string, flags: SampleFlags) => {
      const size = flags.size ?? [64, 512, 512]
      if (size.length !== 3) {
        throw new ConfigError(
          'RANK_MISMATCH',
          `The size of a sample is three numbers z,y,x, but this is ${size.join(',')}.`,
        )
      }
      if (!flags.overwrite && existsSync(path)) {
        throw new ConfigError('DATASET_EXISTS', `${path} exists; choose another name, or replace it with --overwrite.`)
      }
      await writeSample(path, size as [number, number, number], flags.seed, flags)
      if (flags.json) printJson({ path, size, seed: flags.seed })
    })
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
