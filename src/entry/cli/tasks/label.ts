import { Command } from 'commander'
import { countLabels, label } from '../../../tasks/label.ts'
import { labelConfig } from '../../../tasks/label-layout.ts'
import { voxelShape, wholeNumber } from '../option-values.ts'
import { builtInOptions, GROUPS, placementOptions, type RunFlags } from '../options.ts'
import { builtInConfig } from './config/built-in-config.ts'
import { runTasks } from './run-tasks.ts'

/** `bellis label` @param always flags that override the user's */
export function labelCommand(always: RunFlags = {}): Command {
  const command = new Command('label')
    .description('Labels the connected components of nonzero voxels across the complete volume.')
    .argument('<src>', 'dataset to label: out.zarr/volumes/mask')
    .argument('<dst>', 'array to write, uint64: out.zarr/volumes/components')
    .optionsGroup(GROUPS.task)
    .option(
      '--connectivity <n>',
      'voxels are connected if they share 1: a face, 2: an edge, 3: a corner (default: 1)',
      wholeNumber(1),
    )
    .optionsGroup(GROUPS.blocks)
    .option('--block <z,y,x>', 'block shape in voxels (default: about 128 per axis)', voxelShape)
  return builtInOptions(placementOptions(command.optionsGroup(GROUPS.task)))
    .addHelpText('after', '\nExample:\n  $ bellis label out.zarr/volumes/mask out.zarr/volumes/components --workers 4')
    .action(async (input: string, output: string, flags: RunFlags, command: Command) => {
      const config = builtInConfig({ name: 'label', config: labelConfig }, command, { input, output })
      const conclude = async () => {
        const components = await countLabels(output)
        return { document: { components }, text: `${components} ${components === 1n ? 'component' : 'components'}` }
      }
      await runTasks(label(config), { ...flags, ...always }, { conclude, main: output })
    })
}
