import { type Command, InvalidArgumentError, Command as NewCommand, Option } from 'commander'
import { ConfigError } from '../../core/errors.ts'
import { given } from '../../core/given.ts'
import { isAddress } from '../../core/text/address.ts'
import { printableLine } from '../../core/text/printable.ts'
import { LAYOUTS, type LayerKind, type Layout } from '../../core/view/view.ts'
import { openArray } from '../arrays.ts'
import { type ShownDataset, startViewer, type ViewerServer } from '../pages/viewer-server.ts'
import { describeUnfinished } from '../run-folder/provenance/unfinished-arrays.ts'
import { wrapped } from './layout.ts'
import { openPage, printedAddress, untilEnded, warnOfExposure } from './open-page.ts'
import { numberOrList, portNumber } from './option-values.ts'
import { type CommonOptions, dataOptions, type PlacementFlags, placedPath, placementOptions } from './options.ts'
import { paint, printJson, say, warn } from './output.ts'

interface ShowFlags extends CommonOptions, PlacementFlags {
  readonly segmentation?: Named
  readonly image?: Named
  readonly position?: number | number[]
  readonly layout?: Layout
  readonly host?: string
  readonly port?: number
  readonly cors?: readonly string[]
  readonly open: boolean
}

/** `bellis show` */
export function showCommand(): Command {
  const command = new NewCommand('show')
    .description('Shows datasets in the browser, as layers in Neuroglancer.')
    .argument('[dataset...]', 'datasets to show: sample.hdf/volumes/raw, out.zarr/volumes/raw')
    .addOption(kindOption('--segmentation [dataset]', 'show this dataset as labels; without a dataset, all'))
    .addOption(kindOption('--image [dataset]', 'show this dataset as an image; without a dataset, all'))
    .option('--position <z,y,x>', 'initial position in nm (default: the centre)', numberOrList)
    .addOption(new Option('--layout <name>', 'arrangement of views (default: 4panel)').choices([...LAYOUTS]))
    .option('--host <address>', 'address where browsers connect (default: 127.0.0.1, this machine only)')
    .option('--port <n>', 'port where browsers connect (default: a free one)', portNumber)
    .option(
      '--cors <origin>',
      'also let this web page read the datasets: https://example.org; repeatable',
      collectOrigin,
    )
    .option('--no-open', 'print the address without opening a browser')
  return placementOptions(dataOptions(command))
    .addHelpText(
      'after',
      '\nServes the datasets until Ctrl-C.\n\nExample:\n  $ bellis show sample.hdf/volumes/raw --segmentation sample.hdf/volumes/labels/neuron_ids',
    )
    .action(show)
}

/** The datasets named by a repeatable option; `true`, commander's value of one without a dataset, means all. */
type Named = true | readonly string[]

const kindOption = (flags: string, description: string): Option =>
  new Option(flags, description).argParser<Named>((dataset, before = []) =>
    before === true ? true : [...before, dataset],
  )

function collectOrigin(text: string, before: readonly string[] = []): string[] {
  if (URL.canParse(text) && new URL(text).origin === text) return [...before, text]
  throw new InvalidArgumentError('expected the origin of a web page, such as https://example.org.')
}

async function show(paths: readonly string[], flags: ShowFlags): Promise<void> {
  const { layout, host, port, cors } = flags
  const position = flags.position === undefined ? undefined : [flags.position].flat()
  const reported = new Set<string>()
  const shown = datasetsOf(paths, flags)
  await using viewer = await startViewer(
    shown,
    given({ position, layout, host, port, cors, onError: (error: unknown) => warnOnce(error, reported, flags) }),
  )
  for (const text of await unfinishedAmong(shown)) warn(flags, text)
  const ended = untilEnded()
  warnOfExposure(flags, host, 'read these datasets')
  using printed = printedAddress(viewer.address, flags)
  await announce(viewer, printed.text, flags)
  await ended
}

/** What is shown of datasets that their runs have not finished. Those behind addresses are not opened again for this. */
async function unfinishedAmong(shown: readonly ShownDataset[]): Promise<string[]> {
  const texts = shown.map(async ({ path }) => {
    if (isAddress(path)) return undefined
    const array = await openArray(path).catch(() => undefined)
    await array?.close()
    return array === undefined ? undefined : await describeUnfinished(array)
  })
  return (await Promise.all(texts)).filter((text) => text !== undefined)
}

/** Every dataset once, with the kind that the user gave. */
function datasetsOf(paths: readonly string[], flags: ShowFlags): ShownDataset[] {
  const { segmentation = [], image = [] } = flags
  const kinds = new Map<string, LayerKind | undefined>(paths.map((path) => [path, undefined]))
  const isAll = { segmentation: segmentation === true, image: image === true }
  if (isAll.segmentation && isAll.image) {
    throw new ConfigError(
      'INVALID_CONFIG',
      '--image and --segmentation: expected at most one without a dataset; name datasets for the other.',
    )
  }
  for (const [kind, named] of [
    ['segmentation', segmentation],
    ['image', image],
  ] as const) {
    for (const path of named === true ? [] : named) {
      if ((kinds.get(path) ?? kind) !== kind) {
        throw new ConfigError('INVALID_CONFIG', `${path}: expected in --image or in --segmentation, not in both.`)
      }
      kinds.set(path, kind)
    }
  }
  const all = isAll.segmentation ? 'segmentation' : isAll.image ? 'image' : undefined
  if (kinds.size === 0)
    throw new ConfigError('INVALID_CONFIG', 'No dataset is given; name at least one, such as sample.hdf/volumes/raw.')
  return [...kinds].map(([path, kind]) => given({ path: placedPath(path, flags), kind: kind ?? all }) as ShownDataset)
}

function warnOnce(error: unknown, reported: Set<string>, flags: ShowFlags): void {
  const text = error instanceof Error ? error.message : String(error)
  if (reported.has(text)) return
  reported.add(text)
  warn(flags, text)
}

/** @param text stands for its address */
async function announce(viewer: ViewerServer, text: string, flags: ShowFlags): Promise<void> {
  const { address, port, view } = viewer
  if (flags.json) printJson({ address, port, layers: view.layers })
  else if (flags.quiet) process.stdout.write(`${address}\n`)
  else process.stdout.write(`${layerTable(view.layers)}\n\n  ${paint('bold', text)}\n\n`)
  if (await openPage(flags, viewer, (line) => say(flags, line)))
    return say(flags, 'Opened in the browser. Press Ctrl-C to stop.')
  say(flags, 'Press Ctrl-C to stop.')
}

const layerTable = (layers: ViewerServer['view']['layers']): string =>
  layers
    .map(({ name, kind, shape, dtype, voxelSize, only }) => {
      const note = only === undefined ? '' : `; every sampled voxel is ${only}`
      return wrapped(`  ${printableLine(name)}  ${kind}, ${shape.join(' × ')} ${dtype}, ${voxelSize}${note}`, 4)
    })
    .join('\n')
