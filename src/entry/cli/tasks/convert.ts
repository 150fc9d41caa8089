import { Command, Option } from 'commander'
import { nameTasks } from '../../../runtime/tasks/pipeline-name.ts'
import { convert } from '../../../tasks/convert.ts'
import { convertGroup } from '../../../tasks/convert-group.ts'
import { voxelShape } from '../option-values.ts'
import { builtInOptions, GROUPS, placementOptions, type RunFlags } from '../options.ts'
import { builtInConfig } from './config/built-in-config.ts'
import { runTasks } from './run-tasks.ts'

/** `bellis convert` @param always flags that override the user's */
export function convertCommand(always: RunFlags = {}): Command {
  const command = new Command('convert')
    .alias('copy')
    .description('Copies any readable dataset into Zarr, N5, HDF5 or precomputed, block by block.')
    .argument('<src>', 'dataset to copy: sample.hdf/volumes/raw; or a Zarr group, with all that is in it: image.zarr')
    .argument(
      '<dst>',
      'array to write: out.zarr/volumes/raw, out.n5/raw, out.precomputed, out.h5/raw, out.zarr.zip/raw',
    )
    .optionsGroup(GROUPS.task)
    .option(
      '--roi <offset:shape>',
      'convert only this region, in nm 0,0,0:1000,400,400 or in voxels 0:20,100:200,100:200',
    )
    .optionsGroup(GROUPS.output)
    .option('--chunk <z,y,x>', 'chunk shape in voxels (default: about 64 per axis)', voxelShape)
    .option('--shard <z,y,x>', 'shard shape in voxels, a multiple of the chunk shape (default: no shards)', voxelShape)
    .option('--codec <name>', 'compression, NAME[:level]: raw, gzip, zstd, blosc, blosc-zstd, … (default: zstd:3)')
    .addOption(new Option('--zarr-format <version>', 'version of the Zarr format (default: 3)').choices(['2', '3']))
  return builtInOptions(placementOptions(command.optionsGroup(GROUPS.task)))
    .addHelpText('after', '\nExample:\n  $ bellis convert sample.hdf/volumes/raw out.zarr/volumes/raw --workers 4')
    .action(async (input: string, output: string, flags: RunFlags, command: Command) => {
      const config = builtInConfig(convert.options, command, { input, output })
      const tasks = nameTasks(await convertGroup(config), 'convert')
      await runTasks(tasks, { ...flags, ...always }, tasks.length > 1 ? { shown: output } : {})
    })
}
