import { randomBytes } from 'node:crypto'
import { join, resolve } from 'node:path'
import { type HttpServer, serveHttp } from '../../adapters/http/http-server.ts'
import type { ListedRun, RunsList } from '../../core/board/runs-list.ts'
import { messageOf } from '../../core/errors.ts'
import { ResourceStack } from '../../core/resource-stack.ts'
import { hideQueries } from '../../core/text/shown-address.ts'
import type { LiveTree } from '../../ports/resource.ts'
import { jsonResource } from '../../serving/virtual-zarr.ts'
import { overviewsOf } from '../run-folder/run-overview.ts'
import { listRuns, readRuns } from '../run-folder/run-state.ts'
import { openRunPage } from './dashboard-server.ts'
import { titleOf } from './run-description.ts'
import { pageDocument, pageFiles } from './viewer-page.ts'

export interface RunsServerOptions {
  /** @default '127.0.0.1' */
  readonly host?: string
  /** @default a free one */
  readonly port?: number
  /** Called for data that could not be read when requested. */
  readonly onError?: (error: unknown) => void
}

/** The list is read again for a request after this time. */
const LIST_MS = 2000

/**
 * Serves a page of all runs in a folder, and the page of each, read from the run's folder, below it. Disposing closes the server.
 * @param home the folder that contains the folders of runs
 * @throws ConfigError `INVALID_CONFIG` if it can't listen there
 */
export async function startRunsServer(home: string, options: RunsServerOptions = {}): Promise<HttpServer> {
  const { host, port, onError = () => {} } = options
  const opened = new ResourceStack()
  const pages = new Map<string, LiveTree>()
  const pageOf = (run: string): LiveTree | undefined => {
    const known = pages.get(run)
    if (known !== undefined || !listRuns(home).includes(run)) return known
    const page = opened.use(openRunPage(join(home, run), { onError }))
    pages.set(run, page.content)
    return page.content
  }
  const server = await serveHttp({
    token: randomBytes(18).toString('base64url'),
    assets: pageFiles(),
    content: contentOf(listOf(home), pageOf),
    isFolder: ([first, ...rest]) => first === 'runs' && rest.length === 1,
    onError,
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
  })
  return {
    address: server.address,
    port: server.port,
    async [Symbol.asyncDispose]() {
      // Browsers get the last state before the server closes.
      await opened[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}

function contentOf(list: () => Promise<RunsList>, pageOf: (run: string) => LiveTree | undefined): LiveTree {
  const page = pageDocument('runs.html')
  return {
    async open([first, run, ...rest], options) {
      if (first === undefined) return page
      if (first === 'runs.json' && run === undefined) return jsonResource(await list())
      return first === 'runs' && run !== undefined ? pageOf(run)?.open(rest, options) : undefined
    },
  }
}

/** Reads the runs, at most once at a time and in a while: each opens its record. */
function listOf(home: string): () => Promise<RunsList> {
  let reading: Promise<RunsList> | undefined
  let readAt = Number.NEGATIVE_INFINITY
  return () => {
    if (reading === undefined || performance.now() - readAt > LIST_MS) {
      readAt = performance.now()
      reading = readList(home)
    }
    return reading
  }
}

async function readList(home: string): Promise<RunsList> {
  const unreadable: { run: string; message: string }[] = []
  const states = await readRuns(home, (run, error) => unreadable.push({ run, message: messageOf(error) }))
  const overviews = overviewsOf(states)
  const runs = states.map((state, i): ListedRun => {
    const { active = '', seconds, from, to, parameters = {} } = overviews[i] ?? {}
    const sum = (of: 'total' | 'completed' | 'failed' | 'masked') =>
      state.tasks.reduce((all, task) => all + (task[of] ?? 0), 0)
    return {
      ...{ run: state.run, title: titleOf(state.document), condition: state.condition },
      ...{ created: state.document.created, active, parameters },
      ...(seconds === undefined ? {} : { seconds }),
      ...(from === undefined ? {} : { from: hideQueries(from) }),
      ...(to === undefined ? {} : { to: hideQueries(to) }),
      ...{ total: sum('total'), completed: sum('completed'), failed: sum('failed'), masked: sum('masked') },
    }
  })
  return { home: resolve(home), runs, unreadable }
}
