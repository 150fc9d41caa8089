import { Command, Option } from 'commander'
import { convert } from '../tasks.ts'
import { readConfigFile } from './config-flags.ts'
import { given, type RunFlags, runOptions, voxelShape } from './options.ts'
import { runTasks } from './run-tasks.ts'

interface ConvertFlags extends RunFlags {
  readonly config?: string
  readonly chunk?: number[]
  readonly shard?: number[]
  readonly codec?: string
  readonly zarrFormat?: string
  readonly roi?: string
}

/** `bellis convert` @param always flags that are set whatever the user says */
export function convertCommand(always: RunFlags = {}): Command {
  const command = new Command('convert')
    .alias('copy')
    .description('Copies any readable dataset into Zarr, block by block.')
    .argument('<src>', 'dataset to copy: sample.hdf/volumes/raw')
    .argument('<dst>', 'Zarr array to write: out.zarr/volumes/raw')
    .option('--chunk <z,y,x>', 'chunk shape, voxels (default: about 64 a side)', voxelShape)
    .option('--shard <z,y,x>', 'shard shape, voxels, whole chunks (default: no shards)', voxelShape)
    .option('--codec <name>', 'compression, NAME[:level]: raw, gzip, zstd, blosc, blosc-zstd, … (default: zstd:3)')
    .addOption(new Option('--zarr-format <version>', 'version of the Zarr format (default: 3)').choices(['2', '3']))
    .option('--roi <offset:shape>', 'only this region, in nm: 0,0,0:1000,400,400')
  return runOptions(command)
    .option('--config <file>', "JSON file with fields of the task's configuration")
    .addHelpText('after', '\nExample:\n  $ bellis convert sample.hdf/volumes/raw out.zarr/volumes/raw --workers 4')
    .action(async (input: string, output: string, flags: ConvertFlags) => {
      const { chunk, shard, codec, roi } = flags
      const zarrFormat = flags.zarrFormat === undefined ? undefined : (Number(flags.zarrFormat) as 2 | 3)
      const file = flags.config === undefined ? {} : readConfigFile(flags.config)
      const task = convert({ ...file, input, output, ...given({ chunk, shard, codec, roi, zarrFormat }) })
      await runTasks([task], { ...flags, ...always })
    })
}
