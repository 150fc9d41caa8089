import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { folderTree } from '../../adapters/http/folder.ts'
import { type HttpServer, serveHttp } from '../../adapters/http/http-server.ts'
import { pyramidKeys, storedArray } from '../../adapters/zarr/stored-arrays.ts'
import { splitOverride } from '../../core/geometry/placement-override.ts'
import { ResourceStack } from '../../core/resource-stack.ts'
import { isAddress } from '../../core/text/address.ts'
import type { LayerKind, Layout, View, ViewStatus } from '../../core/view/view.ts'
import type { ChunkedArray } from '../../ports/chunked-array.ts'
import type { ResourceTree } from '../../ports/resource.ts'
import { firstPosition, layerNames } from '../../serving/first-view.ts'
import { servedMemory } from '../../serving/served-memory.ts'
import { type SourceLevel, type ViewedDataset, viewDataset } from '../../serving/view-dataset.ts'
import { jsonResource } from '../../serving/virtual-zarr.ts'
import { allowExternal, findDataset } from '../arrays.ts'
import { placedArray } from '../placed-array.ts'
import { pageDocument, pageFiles } from './viewer-page.ts'

export interface ShownDataset {
  readonly path: string
  /** @default guessed from its dtype and values */
  readonly kind?: LayerKind
}

export interface ViewerOptions {
  /** nm, slowest axis first. @default the middle of the first dataset */
  readonly position?: readonly number[]
  /** @default '4panel' */
  readonly layout?: Layout
  /** @default '127.0.0.1' */
  readonly host?: string
  /** @default a free one */
  readonly port?: number
  /** Origins whose pages may read the datasets. */
  readonly cors?: readonly string[]
  /** Called for data that could not be read when requested. */
  readonly onError?: (error: unknown) => void
}

export interface ViewerServer extends AsyncDisposable {
  /** The address to open in a browser. Anyone who has it can read the datasets. */
  readonly address: string
  readonly port: number
  readonly view: View
}

/**
 * Serves datasets and the page that shows them, until it is disposed.
 * @throws ConfigError all errors of opening a dataset; `INVALID_CONFIG`, `OUTSIDE_ARRAY`
 */
export async function startViewer(
  datasets: readonly ShownDataset[],
  options: ViewerOptions = {},
): Promise<ViewerServer> {
  await using opened = new ResourceStack()
  const { onError = () => {} } = options
  const memory = servedMemory()
  const viewed: ViewedDataset[] = []
  for (const { path, kind } of datasets) {
    const levels = await openLevels(path, (array) => opened.use(array))
    viewed.push(await viewDataset(splitOverride(path).path, levels, { kind, onError, memory }))
  }
  const view = viewOf(viewed, options)
  const server = opened.use(await serve(view, viewed, options))
  const { address, port } = server
  const all = opened.move()
  return { address, port, view, [Symbol.asyncDispose]: () => all[Symbol.asyncDispose]() }
}

/** The arrays of a dataset, finest first: all levels if it is a pyramid, otherwise one. */
export async function openLevels(path: string, own: (array: ChunkedArray) => ChunkedArray): Promise<SourceLevel[]> {
  const { path: bare, override } = splitOverride(path)
  const { format, container, inner } = findDataset(bare)
  // A placement that was given is that of one array; levels and the files themselves have their own.
  if (override !== undefined) return [{ array: placedArray(own(await format.open(container, inner)), override) }]
  const isZarr = format.name === 'zarr'
  const pyramid = isZarr ? await pyramidKeys(container, inner, allowExternal()) : undefined
  const levels: SourceLevel[] = []
  for (const level of pyramid ?? [inner]) {
    const array = own(await format.open(container, level))
    const stored = isZarr ? await storedArray(container, level, allowExternal()) : undefined
    if (stored === undefined) levels.push({ array })
    else {
      const files = folderTree(stored.folder, { allows: stored.isPart })
      levels.push({ array, stored: { files, zarrFormat: stored.zarrFormat } })
    }
  }
  return levels
}

/** The view of datasets that are served under `data/0/`, `data/1/`, … */
export function viewOf(viewed: readonly ViewedDataset[], { position, layout = '4panel' }: ViewerOptions): View {
  const names = layerNames(viewed.map(({ layer }) => layer.path))
  const axes = viewed
    .flatMap((dataset) => dataset.axes)
    .filter((axis, i, all) => all.findIndex(({ name }) => name === axis.name) === i)
  return {
    layers: viewed.map(({ layer }, i) => ({ ...layer, name: names[i] as string, source: `data/${i}/` })),
    axes,
    position: firstPosition(axes, position),
    layout,
    coarsest: viewed[0]?.coarsest ?? 1,
  }
}

function serve(view: View, viewed: readonly ViewedDataset[], options: ViewerOptions): Promise<HttpServer> {
  const { host, port, cors, onError = () => {} } = options
  return serveHttp({
    token: randomBytes(18).toString('base64url'),
    assets: pageFiles(),
    content: content(view, viewed),
    onError,
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
    ...(cors === undefined ? {} : { cors }),
  })
}

function content(view: View, viewed: readonly ViewedDataset[]): ResourceTree {
  const index = pageDocument('index.html')
  const description = jsonResource(view)
  return {
    async open(names, options) {
      const [first, second = '', ...rest] = names
      if (first === undefined) return index
      if (names.length === 1 && first === 'view.json') return description
      if (names.length === 1 && first === 'status.json') return jsonResource(status(view))
      if (first !== 'data' || !/^\d{1,4}$/.test(second)) return undefined
      return viewed[Number(second)]?.files.open(rest, options)
    },
  }
}

const status = ({ layers }: View): ViewStatus => ({
  missing: layers.filter(({ path }) => !exists(path)).map(({ name }) => name),
})

/** Whether the file of a dataset exists; those behind a network are not checked repeatedly. */
function exists(path: string): boolean {
  if (isAddress(path)) return true
  try {
    const { format, container, inner } = findDataset(path)
    if (format.name !== 'zarr') return existsSync(container)
    return ['zarr.json', '.zarray', '.zattrs'].some((name) => existsSync(join(container, inner, name)))
  } catch {
    return false
  }
}
