import { Command, Option } from 'commander'
import { nameTasks } from '../../../runtime/tasks/pipeline-name.ts'
import { pyramid, pyramidConfig } from '../../../tasks/downsample.ts'
import { voxelShape, wholeNumber } from '../option-values.ts'
import { builtInOptions, GROUPS, type RunFlags } from '../options.ts'
import { builtInConfig } from './config/built-in-config.ts'
import { runTasks } from './run-tasks.ts'

/** `bellis downsample` @param always flags that override the user's */
export function downsampleCommand(always: RunFlags = {}): Command {
  const command = new Command('downsample')
    .description('Builds the multiscale pyramid of a dataset next to it, with OME-Zarr metadata.')
    .argument('<dataset>', 'Zarr array, or group with a pyramid: out.zarr/volumes/raw')
    .optionsGroup(GROUPS.task)
    .option(
      '--factor <z,y,x>',
      'downsampling factors (default: 2 along each axis that is not yet coarser than the others)',
      voxelShape,
    )
    .option('--levels <n>', 'levels to add (default: until one fits into a chunk)', wholeNumber(1))
    .addOption(
      new Option('--method <method>', 'how voxels are combined (default: mode for labels, otherwise mean)').choices([
        'mean',
        'mode',
        'stride',
      ]),
    )
  return builtInOptions(command)
    .addHelpText('after', '\nExample:\n  $ bellis downsample out.zarr/volumes/raw --levels 2')
    .action(async (dataset: string, flags: RunFlags, command: Command) => {
      const config = builtInConfig({ name: 'downsample', config: pyramidConfig }, command, { dataset })
      await runTasks(nameTasks(await pyramid(config), 'downsample'), { ...flags, ...always }, { shown: dataset })
    })
}
