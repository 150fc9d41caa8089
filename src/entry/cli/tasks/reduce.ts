import { createHash } from 'node:crypto'
import { existsSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { type ReduceConfig, type Reduction, readReduction, reduce } from '../../../tasks/reduce.ts'
import { runsHome } from '../../run-folder/run-place.ts'
import { anyNumber, voxelShape, wholeNumber } from '../option-values.ts'
import { builtInOptions, GROUPS, placementOptions, type RunFlags } from '../options.ts'
import { builtInConfig } from './config/built-in-config.ts'
import type { Conclusion } from './report/run-report.ts'
import { runTasks } from './run-tasks.ts'

interface ReduceFlags extends RunFlags {
  readonly parts?: string
}

/** `bellis reduce` @param always flags that override the user's */
export function reduceCommand(always: RunFlags = {}): Command {
  const command = new Command('reduce')
    .description('Computes count, minimum, maximum, mean, standard deviation and histogram of a dataset.')
    .argument('<src>', 'dataset to summarize: out.zarr/volumes/raw')
    .optionsGroup(GROUPS.task)
    .option('--bins <n>', 'number of histogram bins (default: no histogram)', wholeNumber(1))
    .option('--range <low,high>', 'range of the histogram (default: the full range of 8- and 16-bit integers)', rangeOf)
    .option(
      '--roi <offset:shape>',
      'reduce only this region, in nm 0,0,0:1000,400,400 or in voxels 0:20,100:200,100:200',
    )
    .optionsGroup(GROUPS.blocks)
    .option('--block <z,y,x>', 'block shape in voxels (default: about 128 per axis)', voxelShape)
    .optionsGroup(GROUPS.output)
    .option('--parts <group>', 'Zarr group for intermediate results of blocks (default: in .bellis, removed when done)')
  return builtInOptions(placementOptions(command.optionsGroup(GROUPS.task)))
    .addHelpText('after', '\nExample:\n  $ bellis reduce out.zarr/volumes/raw --bins 16')
    .action(async (input: string, flags: ReduceFlags, command: Command) => {
      const { parts, ...given } = flags
      const config = builtInConfig(reduce.options, command, { input, output: parts ?? '' })
      if (parts !== undefined) {
        await run(config, { ...given, ...always })
        return
      }
      const output = join(runsHome(flags.runDir), `reduce-${hashOf([config, changedAt(input)])}.zarr`)
      // Parts are kept only until the result is complete, since the volume may have changed by the next call. A run
      // without parts starts again, regardless of its record; parts of a volume that has been replaced have another
      // name.
      const isFresh = !existsSync(output)
      const result = await run(
        { ...config, output },
        { ...given, ...(isFresh ? { overwrite: true, grow: false } : {}), ...always },
      )
      if (result?.ok) rmSync(output, { recursive: true })
    })
}

/** When a Zarr array was created, or the file of a dataset last changed; undefined if unknown. */
function changedAt(dataset: string): number | undefined {
  for (const name of ['zarr.json', '.zarray']) {
    const path = join(dataset, name)
    if (existsSync(path)) return statSync(path).mtimeMs
  }
  for (let path = dataset; path !== dirname(path); path = dirname(path)) {
    const stat = existsSync(path) ? statSync(path) : undefined
    if (stat !== undefined) return stat.isFile() ? stat.mtimeMs : undefined
  }
  return undefined
}

const hashOf = (config: object): string =>
  createHash('sha256')
    .update(JSON.stringify([process.cwd(), config]))
    .digest('hex')
    .slice(0, 8)

function rangeOf(text: string): [number, number] {
  const [low, high, ...more] = text.split(',').map((part) => anyNumber(part))
  if (low !== undefined && high !== undefined && more.length === 0) return [low, high]
  throw new InvalidArgumentError('expected two numbers separated by a comma, such as 0,256.')
}

const run = (config: ReduceConfig, flags: RunFlags) =>
  runTasks([reduce(config)], flags, {
    shown: false,
    conclude: async (): Promise<Conclusion> => {
      const reduction = await readReduction(config)
      return { document: { reduction }, text: describeReduction(reduction) }
    },
  })

function describeReduction({ count, nan, nonzero, min, max, mean, std, histogram }: Reduction): string {
  const counts = [`${count} values`, ...(nan > 0 ? [`${nan} NaN`] : []), `${nonzero} not 0`]
  const ends = mean === undefined ? [] : [`min ${min}, max ${max}, mean ${short(mean)}, std ${short(std ?? 0)}`]
  const bins = histogram === undefined ? [] : describeHistogram(histogram)
  return [counts.join(', '), ...ends, ...bins].join('\n')
}

const short = (value: number): string => String(Number(value.toPrecision(7)))

const BAR = 40

function describeHistogram({ edges, counts }: NonNullable<Reduction['histogram']>): string[] {
  const most = Math.max(1, ...counts)
  const names = counts.map((_, bin) => `${short(edges[bin] as number)} … ${short(edges[bin + 1] as number)}`)
  const [name, digits] = [names, counts.map(String)].map((texts) => Math.max(...texts.map(({ length }) => length)))
  return counts.map((count, bin) => {
    const line = `  ${names[bin]?.padStart(name ?? 0)}  ${String(count).padStart(digits ?? 0)}`
    return count === 0 ? line : `${line}  ${'█'.repeat(Math.max(1, Math.round((count / most) * BAR)))}`
  })
}
