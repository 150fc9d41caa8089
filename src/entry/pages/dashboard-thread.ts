import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { ConfigError, type ErrorCode } from '../../core/errors.ts'
import type { ProgressPlace } from '../run-folder/progress-place.ts'

/** A page that shows a run, while it is on. */
export interface DashboardRequest {
  /** Where browsers come in. @default '127.0.0.1': this machine alone */
  readonly host?: string
  /** @default the one that this run's page had before, or one that is free */
  readonly port?: number
  /** Told once, before the first block. Who has the address can see the run and its volumes: keep it out of logs. */
  readonly onAddress?: (address: string, port: number) => void
}

/** What the thread is given. */
export interface DashboardThreadData {
  readonly folder: string
  readonly place: string
  readonly host?: string
  readonly port?: number
}

/** What it says, once. */
export type DashboardThreadMessage =
  | { readonly type: 'ready'; readonly address: string; readonly port: number }
  | { readonly type: 'failed'; readonly code: ErrorCode; readonly message: string }

/** What browsers may take to read the last of it. */
const LAST_WORDS_MS = 6000

/**
 * Serves a run's page from a thread of its own: whatever browsers ask, the run is not held up by it. What is shown it reads from the run's
 * folder, as another process would.
 * @throws ConfigError `INVALID_CONFIG` when it can't listen there
 */
export async function startDashboardThread(
  folder: string,
  { host, port, onAddress }: DashboardRequest,
  place: ProgressPlace,
): Promise<AsyncDisposable> {
  const data: DashboardThreadData = {
    folder,
    place: typeof place === 'string' ? place : 'custom',
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
  }
  const program = new URL(`./dashboard-program${extname(import.meta.url)}`, import.meta.url)
  const thread = new Worker(program, { workerData: data })
  // A mistake there is none of the run's.
  thread.on('error', () => {})
  const exited = new Promise<void>((resolve) => thread.once('exit', () => resolve()))
  const message = await new Promise<DashboardThreadMessage>((resolve) => {
    thread.once('message', resolve)
    void exited.then(() =>
      resolve({ type: 'failed', code: 'IO_ERROR', message: "The run's page could not be started." }),
    )
  })
  if (message.type === 'failed') {
    await exited
    throw new ConfigError(message.code, message.message)
  }
  thread.unref()
  onAddress?.(message.address, message.port)
  return {
    async [Symbol.asyncDispose]() {
      thread.postMessage('end')
      const timer = setTimeout(() => void thread.terminate(), LAST_WORDS_MS)
      await exited
      clearTimeout(timer)
    },
  }
}
