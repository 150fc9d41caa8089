import { Command } from 'commander'
import { threshold, thresholdConfig } from '../../../tasks/map.ts'
import { anyNumber } from '../option-values.ts'
import { builtInOptions, GROUPS, placementOptions, type RunFlags } from '../options.ts'
import { builtInConfig } from './config/built-in-config.ts'
import { runTasks } from './run-tasks.ts'

/** `bellis threshold` @param always flags that override the user's */
export function thresholdCommand(always: RunFlags = {}): Command {
  const command = new Command('threshold')
    .description('Creates a mask of the voxels above a value, below one, or between two.')
    .argument('<src>', 'dataset to threshold: out.zarr/volumes/raw')
    .argument('<dst>', 'array to write, bool: out.zarr/volumes/mask')
    .optionsGroup(GROUPS.task)
    .option('--above <value>', 'keep voxels larger than this', anyNumber)
    .option('--below <value>', 'keep voxels smaller than this', anyNumber)
  return builtInOptions(placementOptions(command.optionsGroup(GROUPS.task)))
    .addHelpText('after', '\nExample:\n  $ bellis threshold out.zarr/volumes/raw out.zarr/volumes/mask --above 128')
    .action(async (input: string, output: string, flags: RunFlags, command: Command) => {
      const config = builtInConfig({ name: 'threshold', config: thresholdConfig }, command, { input, output })
      await runTasks([threshold(config)], { ...flags, ...always })
    })
}
