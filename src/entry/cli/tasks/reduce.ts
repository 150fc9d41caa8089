import { createHash } from 'node:crypto'
import { existsSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { runsHome } from '../../run-folder/run-place.ts'
import { type ReduceConfig, type Reduction, readReduction, reduce } from '../../tasks.ts'
import { anyNumber, configOption, type RunFlags, runOptions, voxelShape, wholeNumber } from '../options.ts'
import { builtInConfig } from './built-in-config.ts'
import { type Conclusion, runTasks } from './run-tasks.ts'

interface ReduceFlags extends RunFlags {
  readonly parts?: string
}

/** `bellis reduce` @param always flags that are set whatever the user says */
export function reduceCommand(always: RunFlags = {}): Command {
  const command = new Command('reduce')
    .description('Counts voxels, and finds the smallest, the largest, the mean, the deviation and the histogram.')
    .argument('<src>', 'dataset to look at: out.zarr/volumes/raw')
    .option('--bins <n>', 'bins of the histogram (default: no histogram)', wholeNumber(1))
    .option('--range <low,high>', 'of the histogram (default: all values, for integers of 8 and 16 bits)', rangeOf)
    .option('--roi <offset:shape>', 'only this region, in nm: 0,0,0:1000,400,400')
    .option('--block <z,y,x>', 'voxels of a block (default: about 128 a side)', voxelShape)
    .option('--parts <group>', 'Zarr group that keeps the parts of the blocks (default: in .bellis, until it is done)')
  return configOption(runOptions(command))
    .addHelpText('after', '\nExample:\n  $ bellis reduce out.zarr/volumes/raw --bins 16')
    .action(async (input: string, flags: ReduceFlags, command: Command) => {
      const { parts, ...given } = flags
      const config = builtInConfig(reduce.options, command, { input, output: parts ?? '' })
      if (parts !== undefined) {
        await run(config, { ...given, ...always })
        return
      }
      const output = join(runsHome(flags.runDir), `reduce-${hashOf([config, madeAt(input)])}.zarr`)
      // What is kept until the result is there, and no longer: a volume that has changed is to be looked at anew. Where it was
      // made anew before the result was there, what was seen of the old one is nothing to go on from.
      const isFresh = !existsSync(output)
      const result = await run({ ...config, output }, { ...given, ...(isFresh ? { overwrite: true } : {}), ...always })
      if (result?.ok) rmSync(output, { recursive: true })
    })
}

/** When a Zarr array, or the file that a dataset is in, was made or changed as a whole; undefined where nobody can say. */
function madeAt(dataset: string): number | undefined {
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
  throw new InvalidArgumentError('It must be two numbers with a comma, such as 0,256.')
}

const run = (config: ReduceConfig, flags: RunFlags) =>
  runTasks([reduce(config)], flags, {
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
