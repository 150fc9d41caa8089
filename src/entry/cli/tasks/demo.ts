import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { makeNamedFolder } from '../../../adapters/files/make-folders.ts'
import { roi } from '../../../core/geometry/roi.ts'
import type { RunResult } from '../../../runtime/coordinator/run-result.ts'
import { convert } from '../../../tasks/convert.ts'
import { smooth } from '../../../tasks/smooth.ts'
import { openArray } from '../../arrays.ts'
import { ownCommand } from '../../own-command.ts'
import { labelled, wrapped, wrappedCommand } from '../layout.ts'
import { openCommand } from '../open-page.ts'
import { dashboardOptions, type RunFlags, workerOptions } from '../options.ts'
import { printJson, say } from '../output.ts'
import { encodePng } from '../png.ts'
import { writeSample } from '../sample.ts'
import { resultDocument } from './report/run-report.ts'
import { runTasks } from './run-tasks.ts'

const SIZE = [64, 512, 512] as const

/** `bellis demo` */
export function demoCommand(): Command {
  const command = new Command('demo')
    .description('A tour in one command: creates a sample, converts it, smooths it twice in a chain.')
    .argument('[dir]', 'output folder', 'bellis-demo')
  return dashboardOptions(workerOptions(command))
    .addHelpText('after', '\nExample:\n  $ bellis demo /tmp/tour --workers 2 --dashboard')
    .action(demo)
}

async function demo(dir: string, flags: RunFlags): Promise<void> {
  const sample = join(dir, 'sample.hdf')
  const zarr = join(dir, 'sample.zarr')
  const volumes = ['raw', 'smoothed', 'smoothed_twice'].map((name) => `${zarr}/volumes/${name}`)
  const [raw, once, twice] = volumes as [string, string, string]
  makeNamedFolder(dir)
  say(flags, wrapped(`1. Synthetic neural tissue, ${SIZE.join(' × ')} voxels of 40 × 4 × 4 nm: ${sample}`, 3))
  if (!existsSync(sample)) await writeSample(sample, SIZE, 1, flags)

  say(flags, `\n${wrapped(`2. HDF5 → Zarr, block by block: ${zarr}`, 3)}`)
  const labels = `${zarr}/volumes/labels/neuron_ids`
  const copies = [
    convert({ input: `${sample}/volumes/raw`, output: raw }, { id: 'convert-raw' }),
    convert({ input: `${sample}/volumes/labels/neuron_ids`, output: labels }, { id: 'convert-labels' }),
  ]
  // The page shows only the chain.
  const copied = await run(copies, { ...flags, dashboard: false, dashboardControl: false })
  if (!copied.ok) return finish([copied], [], flags)

  const chain = '3. Two Gaussians in a chain: a block of Gaussian2 starts as soon as the blocks that it needs are done'
  say(flags, `\n${wrapped(chain, 3)}`)
  const gaussian1 = smooth({ input: raw, output: once, sigma: [0.5, 2, 2] }, { id: 'Gaussian1' })
  const gaussian2 = smooth({ input: once, output: twice, sigma: [0.5, 2, 2] }, { id: 'Gaussian2', after: [gaussian1] })
  const smoothed = await run([gaussian1, gaussian2], flags)
  if (!smoothed.ok) return finish([copied, smoothed], [], flags)

  const picture = join(dir, 'preview.png')
  writeFileSync(picture, await preview(volumes))
  finish([copied, smoothed], [sample, raw, labels, once, twice, picture], flags)
  say(flags, closingText({ zarr, sample, raw, labels, once, twice, picture }))
}

type Place = 'zarr' | 'sample' | 'raw' | 'labels' | 'once' | 'twice' | 'picture'

function closingText({ zarr, sample, raw, labels, once, twice, picture }: Readonly<Record<Place, string>>): string {
  const command = ownCommand()
  const made = labelled([
    [sample, 'the sample, in the layout of CREMI'],
    [raw, 'the same voxels in Zarr'],
    [labels, 'the same labels in Zarr'],
    [once, 'smoothed once'],
    [twice, 'smoothed twice'],
    [picture, 'one section of each, side by side'],
  ])
  const ways: readonly (readonly [string, ...commands: string[]])[] = [
    [
      'In the browser, with Neuroglancer',
      `${command} show ${raw} ${labels}`,
      `${command} show ${raw} ${once} ${twice}`,
    ],
    ['Shapes, chunks and voxel sizes', `${command} info ${zarr}`],
    ['The picture', openCommand(picture)],
    ['In napari, with the plugin napari-ome-zarr', `napari ${zarr}/volumes`],
    ['In Python, with zarr', `python -c "import zarr; print(zarr.open('${once}').shape)"`],
  ]
  const look = ways.flatMap(([how, ...lines]) => [
    `  ${how}:`,
    ...lines.map((line) => wrappedCommand(`    ${line}`, 6)),
  ])
  return ['', 'Made:', ...made, '', 'Look at it:', ...look].join('\n')
}

/** Runs tasks as their own command would. With --json, one document for all of them is printed at the end. */
async function run(tasks: Parameters<typeof runTasks>[0], flags: RunFlags): Promise<RunResult> {
  const { json = false, quiet = false, ...rest } = flags
  return (await runTasks(tasks, { ...rest, quiet: quiet || json }, { shown: false })) as RunResult
}

function finish(results: readonly RunResult[], files: readonly string[], flags: RunFlags): void {
  if (flags.json)
    printJson({
      ok: results.every((result) => result.ok),
      runs: results.map((result) => resultDocument(result)),
      files,
    })
}

/** The middle sections of volumes side by side, as a PNG. */
async function preview(paths: readonly string[]): Promise<Buffer> {
  const [, height, width] = SIZE
  const side = 384
  const pixels = new Uint8Array(side * side * paths.length)
  for (const [column, path] of paths.entries()) {
    await using array = await openArray(path)
    const size = array.voxelSize as readonly [number, number, number]
    const at = [Math.floor(SIZE[0] / 2), Math.floor((height - side) / 2), Math.floor((width - side) / 2)]
    const region = roi(
      at.map((index, axis) => index * (size[axis] as number)),
      [size[0], side * size[1], side * size[2]],
    )
    const { data } = await array.read(region)
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) pixels[(y * paths.length + column) * side + x] = Number(data[y * side + x])
    }
  }
  return encodePng(pixels, side * paths.length, side)
}
