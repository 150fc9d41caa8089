import { Command, Option } from 'commander'
import { pyramidConfig } from '../../../tasks/downsample.ts'
import { pyramid } from '../../tasks.ts'
import { configOption, type RunFlags, runOptions, voxelShape, wholeNumber } from '../options.ts'
import { builtInConfig } from './built-in-config.ts'
import { runTasks } from './run-tasks.ts'

/** `bellis downsample` @param always flags that are set whatever the user says */
export function downsampleCommand(always: RunFlags = {}): Command {
  const command = new Command('downsample')
    .description('Builds the multiscale pyramid of a dataset, beside it, with the metadata of OME-Zarr.')
    .argument('<dataset>', 'Zarr array, or group with a pyramid: out.zarr/volumes/raw')
    .option(
      '--factor <z,y,x>',
      'voxels per cell (default: 2, along axes that are not yet coarser than others)',
      voxelShape,
    )
    .option('--levels <n>', 'levels besides the finest (default: until one fits into a chunk)', wholeNumber(1))
    .addOption(
      new Option('--method <method>', 'what becomes of a cell (default: mode for labels, else mean)').choices([
        'mean',
        'mode',
        'stride',
      ]),
    )
  return configOption(runOptions(command))
    .addHelpText('after', '\nExample:\n  $ bellis downsample out.zarr/volumes/raw --levels 2')
    .action(async (dataset: string, flags: RunFlags, command: Command) => {
      const config = builtInConfig({ name: 'downsample', config: pyramidConfig }, command, { dataset })
      await runTasks(await pyramid(config), { ...flags, ...always })
    })
}
