import { Command, Option } from 'commander'
import { smooth } from '../../tasks.ts'
import { numberOrList, voxelShape } from '../option-values.ts'
import { builtInOptions, GROUPS, type RunFlags } from '../options.ts'
import { builtInConfig } from './config/built-in-config.ts'
import { runTasks } from './run-tasks.ts'

/** `bellis smooth` @param always flags that override the user's */
export function smoothCommand(always: RunFlags = {}): Command {
  const command = new Command('smooth')
    .description('Smooths a volume with a Gaussian, equal to scipy.ndimage.gaussian_filter.')
    .argument('<src>', 'dataset to smooth: out.zarr/volumes/raw')
    .argument('<dst>', 'Zarr array to write: out.zarr/volumes/smoothed')
    .optionsGroup(GROUPS.task)
    .option('--sigma <voxels>', 'standard deviation, one number or one per axis (default: 2)', numberOrList)
    .addOption(
      new Option('--mode <mode>', 'values outside the volume (default: constant, 0)').choices([
        'constant',
        'reflect',
        'nearest',
        'mirror',
        'wrap',
      ]),
    )
    .optionsGroup(GROUPS.blocks)
    .option('--block-read <z,y,x>', 'read shape of a block in voxels (default: as sigma requires)', voxelShape)
    .option(
      '--block-write <z,y,x>',
      'write shape of a block in voxels (default: about 128 per axis, 64 in small volumes)',
      voxelShape,
    )
  return builtInOptions(command)
    .addHelpText(
      'after',
      '\nExample:\n  $ bellis smooth out.zarr/volumes/raw out.zarr/volumes/smoothed --sigma 2 --workers 4',
    )
    .action(async (input: string, output: string, flags: RunFlags, command: Command) => {
      await runTasks([smooth(builtInConfig(smooth.options, command, { input, output }))], { ...flags, ...always })
    })
}
