import { randomBytes } from 'node:crypto'
import { basename, join } from 'node:path'
import { folderTree } from '../../adapters/http/folder.ts'
import { type HttpServer, serveHttp } from '../../adapters/http/http-server.ts'
import type { AttemptDetails } from '../../core/board/summary.ts'
import { ResourceStack } from '../../core/resource-stack.ts'
import type { LiveTree, Resource } from '../../ports/resource.ts'
import { jsonResource } from '../../serving/virtual-zarr.ts'
import { type FollowOptions, RunFollower } from '../run-folder/history/run-follower.ts'
import { readJson, replaceFile } from '../run-folder/run-files.ts'
import { readAttempts } from './block-attempts.ts'
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

const TEXT = 'text/plain; charset=utf-8'
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
  const page = opened.use(openRunPage(folder, options))
  const server = opened.use(await listen(folder, options, page.content))
  // It is disposed before the server, which sends the final state.
  opened.use({ [Symbol.asyncDispose]: () => page.end() })
  const file = opened.use(saveAddress(folder, server, options.isOwn ?? false)).path
  const all = opened.move()
  return {
    address: server.address,
    port: server.port,
    ...(file === undefined ? {} : { file }),
    [Symbol.asyncDispose]: () => all[Symbol.asyncDispose](),
  }
}

/** What the page of a run consists of, for a server. */
export interface RunPage extends AsyncDisposable {
  readonly content: LiveTree
  /** Sends the final state to browsers. */
  end(): Promise<void>
}

/**
 * Opens the page of a run, which reads from the run's folder.
 * @throws ConfigError `NO_SUCH_FILE` if the folder is not that of a run
 */
export function openRunPage(folder: string, options: Omit<DashboardOptions, 'host' | 'port'> = {}): RunPage {
  const follower = new RunFollower(folder, options)
  const { control = false, onError = () => {} } = options
  const volumes = new DashboardVolumes(follower, onError)
  const feed = new DashboardFeed(follower, {
    volumes: () => volumes.version(),
    untilQuiet: () => volumes.untilQuiet(),
    control,
    onError,
  })
  return {
    content: contentOf(follower, feed, volumes, options),
    end: () => feed[Symbol.asyncDispose](),
    async [Symbol.asyncDispose]() {
      await feed[Symbol.asyncDispose]()
      await volumes[Symbol.asyncDispose]()
      follower[Symbol.dispose]()
    },
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

function contentOf(
  follower: RunFollower,
  feed: DashboardFeed,
  volumes: DashboardVolumes,
  { place }: DashboardOptions,
): LiveTree {
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
        case 'attempts/3':
          return attemptsResource(follower, place, second, third)
        case 'logs/2':
          return logResource(follower, second)
        default:
          return volumes.open(names)
      }
    },
  }
}

const asNumber = (text: string): number => (/^(0|[1-9]\d{0,14})$/.test(text) ? Number(text) : Number.NaN)

/** The numbers of a task and of a block in a path; undefined if there is no such block. */
function blockAt({ document }: RunFollower, task: string, name: string) {
  const number = asNumber(task)
  const index = asNumber(name.replace(/\.json$/, ''))
  const described = document.tasks[number]
  return described === undefined || !name.endsWith('.json') || !(index < described.blocks)
    ? undefined
    : { number, index }
}

function blockResource(follower: RunFollower, task: string, name: string): Resource | undefined {
  const block = blockAt(follower, task, name)
  return block === undefined ? undefined : jsonResource(follower.picture.details(block.number, block.index))
}

async function attemptsResource(
  follower: RunFollower,
  place: DashboardOptions['place'],
  task: string,
  name: string,
): Promise<Resource | undefined> {
  const block = blockAt(follower, task, name)
  if (block === undefined) return undefined
  const { folder, document, picture } = follower
  const attempts = await readAttempts(folder, place ?? document.progress, block.number, block.index)
  return jsonResource(
    attempts.map((attempt): AttemptDetails => {
      const logBytes = picture.logPlace(block.number, block.index, attempt.attempt)
      return logBytes === undefined ? attempt : { ...attempt, logBytes }
    }),
  )
}

/** What a worker printed: a file among the run's logs, and no other. */
async function logResource({ picture, folder }: RunFollower, name: string): Promise<Resource | undefined> {
  const logFile = picture.logFile(name.replace(/\.txt$/, ''))
  if (logFile === undefined || !name.endsWith('.txt')) return undefined
  // Use the name only: the path is relative to the directory in which the run was started.
  const file = basename(logFile)
  // The folder may be that of another user, who could have a link lead to any file of this one.
  const files = folderTree(folder, { allows: () => true, contentType: () => TEXT, followsLinks: false })
  return files.open(['logs', file])
}
