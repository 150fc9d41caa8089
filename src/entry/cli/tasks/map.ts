import { Command, InvalidArgumentError, Option } from 'commander'
import { DTYPES } from '../../../core/array/dtype.ts'
import { map } from '../../../tasks/map.ts'
import { builtInOptions, GROUPS, placementOptions, type RunFlags } from '../options.ts'
import { builtInConfig } from './config/built-in-config.ts'
import { runTasks } from './run-tasks.ts'

/** `bellis map` @param always flags that override the user's */
export function mapCommand(always: RunFlags = {}): Command {
  const command = new Command('map')
    .description('Evaluates an expression for every voxel: 255 - x, x > 128, mask ? x : 0.')
    .argument('<src>', 'dataset whose voxels are x: out.zarr/volumes/raw')
    .argument('<dst>', 'array to write: out.zarr/volumes/inverted')
    .optionsGroup(GROUPS.task)
    .option('--expr <expression>', 'new value of a voxel x')
    .option('--with <name=dataset>', 'another dataset and its name in the expression; repeatable', namedPath)
    .addOption(
      new Option(
        '--dtype <type>',
        "element type of the output (default: bool for comparisons, otherwise src's)",
      ).choices(DTYPES),
    )
  return builtInOptions(placementOptions(command.optionsGroup(GROUPS.task)))
    .addHelpText(
      'after',
      `
Expressions: numbers, x, + - * / // % **, < <= > >= == !=, && || !, condition ? a : b, and the functions abs, ceil,
clamp(x, low, high), exp, floor, isnan, log, max, min, round, sign, sqrt; // and % round down as in Python. For an integer
type, the result is rounded to the nearest integer (ties to even) and clipped to the range of the type.

Example:
  $ bellis map out.zarr/volumes/raw out.zarr/volumes/inverted --expr "255 - x"`,
    )
    .action(async (input: string, output: string, flags: RunFlags, command: Command) => {
      await runTasks([map(builtInConfig(map.options, command, { input, output }))], { ...flags, ...always })
    })
}

function namedPath(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const [, name, path] = /^([^=]+)=(.+)$/.exec(text) ?? []
  if (name === undefined || path === undefined) {
    throw new InvalidArgumentError('expected a name and a dataset, such as mask=out.zarr/volumes/mask.')
  }
  if (Object.hasOwn(before, name))
    throw new InvalidArgumentError(`expected each name once, but "${name}" is given twice.`)
  return { ...before, [name]: path }
}
