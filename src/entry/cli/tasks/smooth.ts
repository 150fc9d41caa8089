import { Command, Option } from 'commander'
import { toNanometers } from '../../../core/geometry/world-unit.ts'
import { sigmaInVoxels, smooth } from '../../../tasks/smooth.ts'
import { openArray } from '../../arrays.ts'
import { standardDeviation, voxelShape } from '../option-values.ts'
import { builtInOptions, GROUPS, placementOptions, type RunFlags } from '../options.ts'
import { builtInConfig } from './config/built-in-config.ts'
import type { Conclusion } from './report/run-report.ts'
import { runTasks } from './run-tasks.ts'

/** `bellis smooth` @param always flags that override the user's */
export function smoothCommand(always: RunFlags = {}): Command {
  const command = new Command('smooth')
    .description('Smooths a volume with a Gaussian, equal to scipy.ndimage.gaussian_filter.')
    .argument('<src>', 'dataset to smooth: out.zarr/volumes/raw')
    .argument('<dst>', 'array to write: out.zarr/volumes/smoothed')
    .optionsGroup(GROUPS.task)
    .option(
      '--sigma <voxels|nm>',
      'standard deviation, one or one per axis, in voxels (0.5,2,2) or in nm (20nm) (default: 2)',
      standardDeviation,
    )
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
  return builtInOptions(placementOptions(command.optionsGroup(GROUPS.task)))
    .addHelpText(
      'after',
      '\nExample:\n  $ bellis smooth out.zarr/volumes/raw out.zarr/volumes/smoothed --sigma 2 --workers 4',
    )
    .action(async (input: string, output: string, flags: RunFlags, command: Command) => {
      const config = builtInConfig(smooth.options, command, { input, output })
      const conclude = () => describeFilter(config)
      await runTasks([smooth(config)], { ...flags, ...always }, { conclude })
    })
}

const BORDERS = {
  constant: 'voxels beyond the volume count as 0, so bright borders get darker',
  reflect: 'beyond its border the volume is mirrored, the border voxel included',
  nearest: 'beyond its border the volume repeats the border voxel',
  mirror: 'beyond its border the volume is mirrored at the border voxel',
  wrap: 'beyond its border the volume starts again at the other end',
} as const

/** What the filter did: its size on each axis, and what it took the volume to be beyond its borders. */
async function describeFilter({
  input,
  sigma = 2,
  mode = 'constant',
}: Parameters<typeof smooth>[0]): Promise<Conclusion> {
  await using volume = await openArray(input)
  const nm = volume.voxelSize.map((size) => toNanometers(size, volume.unit))
  const voxels = sigmaInVoxels(sigma, volume)
  const widths = voxels.map((value, axis) => round(value * (nm[axis] as number)))
  const lines = [
    `Sigma ${voxels.map(shown).join(' × ')} voxels, ${widths.map(shown).join(' × ')} nm; mode ${mode}: ${BORDERS[mode]}.`,
  ]
  if (typeof sigma === 'number' && Math.max(...nm) > ANISOTROPIC * Math.min(...nm)) {
    lines.push(`A voxel is ${nm.join(' × ')} nm; --sigma ${Math.min(...widths)}nm smooths equally far on every axis.`)
  }
  return { document: { filter: { sigmaVoxels: voxels, sigmaNm: widths, mode } }, text: lines.join('\n') }
}

/** From this ratio of their sides, voxels are far from cubes. */
const ANISOTROPIC = 1.5
const round = (value: number): number => Number(value.toPrecision(6))
/** As many digits as anyone reads. */
const shown = (value: number): number => Number(value.toPrecision(3))
