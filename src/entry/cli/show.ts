import { type Command, InvalidArgumentError, Command as NewCommand, Option } from 'commander'
import { isLoopback } from '../../core/addresses.ts'
import { ConfigError } from '../../core/errors.ts'
import { LAYOUTS, type LayerKind, type Layout } from '../../core/view/view.ts'
import { type ShownDataset, startViewer, type ViewerServer } from '../pages/viewer-server.ts'
import { openPage, untilEnded } from './open-page.ts'
import { type CommonOptions, commonOptions, given, numberOrList, portNumber } from './options.ts'
import { paint, printJson, say, warn } from './output.ts'

interface ShowFlags extends CommonOptions {
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
    .description('Shows datasets in the browser, with Neuroglancer, as layers over each other.')
    .argument('[dataset...]', 'datasets: sample.hdf/volumes/raw, out.zarr/volumes/raw')
    .addOption(kindOption('--segmentation [dataset]', 'show this one as labels; without a dataset all of them'))
    .addOption(kindOption('--image [dataset]', 'show this one as an image; without a dataset all of them'))
    .option('--position <z,y,x>', 'where to look at first, nm (default: the middle)', numberOrList)
    .addOption(new Option('--layout <name>', 'how it is cut (default: 4panel)').choices([...LAYOUTS]))
    .option('--host <address>', 'where browsers come in (default: 127.0.0.1, this machine alone)')
    .option('--port <n>', 'at which port (default: one that is free)', portNumber)
    .option('--cors <origin>', 'a web page that may read the datasets, too: https://example.org', collectOrigin)
    .option('--no-open', 'only say the address, open no browser')
  return commonOptions(command)
    .addHelpText(
      'after',
      '\nIt serves them until Ctrl-C.\n\nExample:\n  $ bellis show sample.hdf/volumes/raw --segmentation sample.hdf/volumes/labels/neuron_ids',
    )
    .action(show)
}

/** The datasets that an option names, given several times; `true`, which commander makes of one without any, means all. */
type Named = true | readonly string[]

const kindOption = (flags: string, description: string): Option =>
  new Option(flags, description).argParser<Named>((dataset, before = []) =>
    before === true ? true : [...before, dataset],
  )

function collectOrigin(text: string, before: readonly string[] = []): string[] {
  if (URL.canParse(text) && new URL(text).origin === text) return [...before, text]
  throw new InvalidArgumentError('It must be the origin of a page, such as https://example.org.')
}

async function show(paths: readonly string[], flags: ShowFlags): Promise<void> {
  const { layout, host, port, cors } = flags
  const position = flags.position === undefined ? undefined : [flags.position].flat()
  const told = new Set<string>()
  await using viewer = await startViewer(
    datasetsOf(paths, flags),
    given({ position, layout, host, port, cors, onError: (error: unknown) => tellOnce(error, told, flags) }),
  )
  const ended = untilEnded()
  if (host !== undefined && !isLoopback(host)) {
    warn(
      flags,
      `whoever has the address can read these datasets over ${host}, and what goes over the network is not encrypted.`,
    )
  }
  await tell(viewer, flags)
  await ended
}

/** Every dataset once, with what the user says it is. */
function datasetsOf(paths: readonly string[], { segmentation = [], image = [] }: ShowFlags): ShownDataset[] {
  const kinds = new Map<string, LayerKind | undefined>(paths.map((path) => [path, undefined]))
  const isAll = { segmentation: segmentation === true, image: image === true }
  if (isAll.segmentation && isAll.image) {
    throw new ConfigError(
      'INVALID_CONFIG',
      "All datasets can't be shown as both: name one for --image or for --segmentation.",
    )
  }
  for (const [kind, named] of [
    ['segmentation', segmentation],
    ['image', image],
  ] as const) {
    for (const path of named === true ? [] : named) {
      if ((kinds.get(path) ?? kind) !== kind) {
        throw new ConfigError(
          'INVALID_CONFIG',
          `${path} can't be shown as both: give it to --image or to --segmentation.`,
        )
      }
      kinds.set(path, kind)
    }
  }
  const all = isAll.segmentation ? 'segmentation' : isAll.image ? 'image' : undefined
  if (kinds.size === 0)
    throw new ConfigError('INVALID_CONFIG', 'Which dataset? Give at least one, such as sample.hdf/volumes/raw.')
  return [...kinds].map(([path, kind]) => given({ path, kind: kind ?? all }) as ShownDataset)
}

function tellOnce(error: unknown, told: Set<string>, flags: ShowFlags): void {
  const text = error instanceof Error ? error.message : String(error)
  if (told.has(text)) return
  told.add(text)
  warn(flags, text)
}

async function tell(viewer: ViewerServer, flags: ShowFlags): Promise<void> {
  const { address, port, view } = viewer
  if (flags.json) printJson({ address, port, layers: view.layers })
  else if (flags.quiet) process.stdout.write(`${address}\n`)
  else process.stdout.write(`${layerTable(view.layers)}\n\n  ${paint('bold', address)}\n\n`)
  if (await openPage(flags, viewer, (text) => say(flags, text)))
    return say(flags, 'Opened in the browser; Ctrl-C ends it.')
  say(flags, 'Ctrl-C ends it.')
}

const layerTable = (layers: ViewerServer['view']['layers']): string =>
  layers
    .map(({ name, kind, shape, dtype, voxelSize, only }) => {
      const note = only === undefined ? '' : `; every voxel that was looked at is ${only}`
      return `  ${name}  ${kind}, ${shape.join(' × ')} ${dtype}, ${voxelSize}${note}`
    })
    .join('\n')
