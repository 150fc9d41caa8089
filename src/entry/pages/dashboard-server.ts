import { randomBytes } from 'node:crypto'
import { realpathSync } from 'node:fs'
import { basename, join, sep } from 'node:path'
import { type HttpServer, serveHttp } from '../../adapters/http/http-server.ts'
import { ResourceStack } from '../../core/resource-stack.ts'
import type { LiveTree, Resource } from '../../ports/resource.ts'
import { jsonResource, memoryResource } from '../../serving/virtual-zarr.ts'
import { type FollowOptions, RunFollower } from '../run-folder/history/run-follower.ts'
import { readJson, replaceFile } from '../run-folder/run-files.ts'
import { readLogEnd } from '../workers/log-end.ts'
import { DashboardFeed } from './dashboard-feed.ts'
import { DashboardVolumes } from './dashboard-volumes.ts'
import { pageControl } from './page-control.ts'
import { describeRun } from './run-description.ts'
import { pageDocument, pageFiles } from './viewer-page.ts'

export interface DashboardOptions extends FollowOptions {
  /** @default '127.0.0.1' */
  readonly host?: string
  /** @default the port that this run's page had before, if it is free */
  readonly port?: number
  /** Whether the page may stop the run, change its workers and so on. @default false */
  readonly control?: boolean
  /** Called for data that could not be read when requested. */
  readonly onError?: (error: unknown) => void
}

/** A page that shows a run. Disposing sends the final state and closes the server. */
export interface Dashboard extends AsyncDisposable {
  /** The address to open in a browser. Anyone who has it can see the page. Every start of a page has another one. */
  readonly address: string
  readonly port: number
  /** The file with this address, which only this user can read; undefined for the page of another process than the run's. */
  readonly file?: string
}

/** The port of a run's page, which the next one uses again, and the address of the page that the run itself serves. */
const FILE = 'dashboard.json'

interface SavedAddress {
  readonly port: number
  readonly address?: string
}

/**
 * Serves the page of a run, reading from the run's folder.
 * @throws ConfigError `NO_SUCH_FILE`, `INVALID_CONFIG` if it can't listen there
 */
export async function startDashboard(folder: string, options: DashboardOptions = {}): Promise<Dashboard> {
  await using opened = new ResourceStack()
  const follower = opened.use(new RunFollower(folder, options))
  const { control = false, onError = () => {} } = options
  const volumes = opened.use(new DashboardVolumes(follower, onError))
  const feed = new DashboardFeed(follower, {
    volumes: () => volumes.version(),
    untilQuiet: () => volumes.untilQuiet(),
    control,
    onError,
  })
  const server = opened.use(await listen(folder, options, contentOf(follower, feed, volumes)))
  opened.use(feed)
  const file = opened.use(saveAddress(folder, server, options.isOwn ?? false)).path
  const all = opened.move()
  return {
    address: server.address,
    port: server.port,
    ...(file === undefined ? {} : { file }),
    [Symbol.asyncDispose]: () => all[Symbol.asyncDispose](),
  }
}

/**
 * Listens at the port that the page had before, so that a tunnel still leads to it. The token is a new one: meanwhile, another user's
 * program may have listened there, and an open page has asked it for news.
 */
async function listen(folder: string, options: DashboardOptions, content: LiveTree): Promise<HttpServer> {
  const { host, port, control = false, onError = () => {} } = options
  const serve = (at: number | undefined) =>
    serveHttp({
      token: randomBytes(18).toString('base64url'),
      assets: pageFiles(),
      content,
      actions: pageControl(folder, control),
      onError,
      ...(host === undefined ? {} : { host }),
      ...(at === undefined ? {} : { port: at }),
    })
  const before = readJson<SavedAddress>(join(folder, FILE))?.port
  if (port !== undefined || !Number.isSafeInteger(before)) return serve(port)
  // Another page of this run, or another program, may be served there.
  return serve(before).catch(() => serve(undefined))
}

/** Disposing removes the address, which is no longer valid then, and keeps the port. */
function saveAddress(
  folder: string,
  { address, port }: HttpServer,
  isOwn: boolean,
): Disposable & { readonly path: string | undefined } {
  const path = join(folder, FILE)
  const save = (saved: SavedAddress) => {
    try {
      replaceFile(path, JSON.stringify(saved), { mode: 0o600 })
      return true
    } catch {
      // Only the next start gets another port.
      return false
    }
  }
  if (!isOwn) {
    if (readJson(path) === undefined) save({ port })
    return { path: undefined, [Symbol.dispose]() {} }
  }
  return {
    path: save({ port, address }) ? path : undefined,
    [Symbol.dispose]() {
      if (readJson<SavedAddress>(path)?.address === address) save({ port })
    },
  }
}

function contentOf(follower: RunFollower, feed: DashboardFeed, volumes: DashboardVolumes): LiveTree {
  const page = pageDocument('dashboard.html')
  return {
    async open(names) {
      const [first, second = '', third = ''] = names
      if (first === undefined) return page
      switch (`${first}/${names.length}`) {
        case 'run.json/1':
          return jsonResource(describeRun(follower))
        case 'events/1':
          return feed
        case 'blocks/3':
          return blockResource(follower, second, third)
        case 'logs/2':
          return logResource(follower, second)
        default:
          return volumes.open(names)
      }
    },
  }
}

const asNumber = (text: string): number => (/^(0|[1-9]\d{0,14})$/.test(text) ? Number(text) : Number.NaN)

function blockResource({ picture, document }: RunFollower, task: string, name: string): Resource | undefined {
  const described = document.tasks[asNumber(task)]
  const index = asNumber(name.replace(/\.json$/, ''))
  if (described === undefined || !name.endsWith('.json') || !(index < described.blocks)) return undefined
  return jsonResource(picture.details(asNumber(task), index))
}

/** The end of what a worker printed: of a file among the run's logs, and of no other. */
async function logResource({ picture, folder }: RunFollower, name: string): Promise<Resource | undefined> {
  const logFile = picture.logFile(name.replace(/\.txt$/, ''))
  if (logFile === undefined || !name.endsWith('.txt')) return undefined
  try {
    const logs = realpathSync(join(folder, 'logs'))
    // Use the name only: the path is relative to the directory in which the run was started.
    const path = realpathSync(join(logs, basename(logFile)))
    if (!path.startsWith(logs + sep)) return undefined
    return memoryResource(Buffer.from(await readLogEnd(path)), 'text/plain; charset=utf-8')
  } catch {
    return undefined
  }
}
