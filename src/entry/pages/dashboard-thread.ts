import { Worker } from 'node:worker_threads'
import { ConfigError, type ErrorCode } from '../../core/errors.ts'
import { ownModule } from '../../runtime/package-place.ts'
import type { ProgressPlace } from '../run-folder/progress-place.ts'

/** Options for the page of a running run. */
export interface DashboardRequest {
  /** Address for browsers to connect to. @default '127.0.0.1': this machine only */
  readonly host?: string
  /** @default the port that this run's page had before, or a free one */
  readonly port?: number
  /** Whether the page may stop the run, change its workers and so on; otherwise nothing on it changes the run. @default false */
  readonly control?: boolean
  /**
   * Called once, before the first block. Anyone who has the address can see the run and its volumes: keep it out of logs.
   * @param file contains the address, and only this user can read it; '' if it could not be written
   */
  readonly onAddress?: (address: string, port: number, file: string) => void
}

/** The input of the thread. */
export interface DashboardThreadData {
  readonly folder: string
  readonly place: string
  readonly host?: string
  readonly port?: number
  readonly control?: boolean
}

/** The one message that it sends. */
export type DashboardThreadMessage =
  | { readonly type: 'ready'; readonly address: string; readonly port: number; readonly file: string }
  | { readonly type: 'failed'; readonly code: ErrorCode; readonly message: string }

/** How long browsers may take to read the final state. */
const END_MS = 6000

/**
 * Makes sure that a page can be served at the address that was asked for.
 * @throws ConfigError `INVALID_CONFIG` if it can't listen there
 */
export async function assertCanServe({ host, port }: DashboardRequest): Promise<void> {
  const { serveHttp } = await import('../../adapters/http/http-server.ts')
  const nothing = { open: async () => undefined }
  const address = { ...(host === undefined ? {} : { host }), ...(port === undefined ? {} : { port }) }
  const server = await serveHttp({ token: '', assets: nothing, content: nothing, onError() {}, ...address })
  await server[Symbol.asyncDispose]()
}

/**
 * Serves a run's page from a separate thread, so that requests do not delay the run. Like another process, it reads from the run's folder.
 * @throws ConfigError `INVALID_CONFIG` if it can't listen there
 */
export async function startDashboardThread(
  folder: string,
  { host, port, control = false, onAddress }: DashboardRequest,
  place: ProgressPlace,
): Promise<AsyncDisposable> {
  const data: DashboardThreadData = {
    folder,
    place: typeof place === 'string' ? place : 'custom',
    control,
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
  }
  const program = new URL(ownModule('entry/pages/dashboard-program'))
  const thread = new Worker(program, { workerData: data })
  // An error there must not end the run.
  thread.on('error', () => {})
  const exited = new Promise<void>((resolve) => thread.once('exit', () => resolve()))
  const message = await new Promise<DashboardThreadMessage>((resolve) => {
    thread.once('message', resolve)
    void exited.then(() =>
      resolve({
        type: 'failed',
        code: 'IO_ERROR',
        message: "The run's page could not be started; run without --dashboard, or see bellis doctor.",
      }),
    )
  })
  if (message.type === 'failed') {
    await exited
    throw new ConfigError(message.code, message.message)
  }
  thread.unref()
  onAddress?.(message.address, message.port, message.file)
  return {
    async [Symbol.asyncDispose]() {
      thread.postMessage('end')
      const timer = setTimeout(() => void thread.terminate(), END_MS)
      await exited
      clearTimeout(timer)
    },
  }
}
