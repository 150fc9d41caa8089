import { Command } from 'commander'
import { countLabels, label } from '../tasks.ts'
import { given, type RunFlags, runOptions, voxelShape, wholeNumber } from './options.ts'
import { runTasks } from './run-tasks.ts'

interface LabelFlags extends RunFlags {
  readonly connectivity?: number
  readonly block?: number[]
}

/** `bellis label` @param always flags that are set whatever the user says */
export function labelCommand(always: RunFlags = {}): Command {
  const command = new Command('label')
    .description('Numbers the connected components of the voxels that are not 0, over the whole volume.')
    .argument('<src>', 'dataset to label: out.zarr/volumes/mask')
    .argument('<dst>', 'Zarr array to write, uint64: out.zarr/volumes/components')
    .option(
      '--connectivity <n>',
      'neighbours that share 1: a face, 2: an edge, 3: a corner (default: 1)',
      wholeNumber(1),
    )
    .option('--block <z,y,x>', 'voxels of a block (default: about 128 a side)', voxelShape)
  return runOptions(command)
    .addHelpText('after', '\nExample:\n  $ bellis label out.zarr/volumes/raw out.zarr/volumes/components --workers 4')
    .action(async (input: string, output: string, flags: LabelFlags) => {
      const { connectivity, block } = flags
      const conclude = async () => {
        const components = await countLabels(output)
        return { document: { components }, text: `${components} ${components === 1n ? 'component' : 'components'}` }
      }
      const tasks = label({ input, output, ...given({ connectivity, block }) })
      await runTasks(tasks, { ...flags, ...always }, { conclude })
    })
}
