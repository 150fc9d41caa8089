import { extname, join, resolve } from 'node:path'
import { processLauncher } from '../adapters/processes/process-launcher.ts'
import { listenTcp } from '../adapters/tcp/tcp-listener.ts'
import { threadLauncher } from '../adapters/threads/thread-launcher.ts'
import type { Listener } from '../ports/listener.ts'
import type { WorkerLauncher } from '../ports/worker-launcher.ts'
import { addressOf, writeContextFile } from './run-context.ts'

/** Where a run's workers are: started by it, or by whoever reads what it prints. */
export type PoolKind = 'process' | 'thread' | 'none'

/** How a run is reached by workers. */
export interface NetworkOptions {
  /** Where to listen for workers. @default '127.0.0.1': this machine alone */
  readonly host?: string
  /** @default one that is free */
  readonly port?: number
  /** PEM: workers come in by TLS then. */
  readonly tls?: { readonly cert: string; readonly key: string }
}

/** What lets more workers into a run that is on. */
export interface Invitation {
  /** The run's folder: `bellis worker <folder>`. */
  readonly folder: string
  /** What BELLIS_CONTEXT has to be where that folder is not seen. A secret. */
  readonly context: string
  /** Whether workers of this machine alone can come in. */
  readonly isLoopback: boolean
}

/** The workers of a run, and the way in for others. Disposing ends them all. */
export interface WorkerPool extends AsyncDisposable {
  readonly launcher: WorkerLauncher | undefined
  readonly listener: Listener
  readonly invitation: Invitation
}

/**
 * Listens, writes the run's context file, and makes the launcher.
 * @param folder the run's
 * @throws ConfigError `INVALID_CONFIG` when the address or the certificate can't be used
 */
export async function openWorkerPool(
  pool: PoolKind | WorkerLauncher,
  folder: string,
  { host = '127.0.0.1', port, tls }: NetworkOptions,
): Promise<WorkerPool> {
  const listener = await listenTcp({
    host,
    ...(port === undefined ? {} : { port }),
    ...(tls === undefined ? {} : { tls }),
  })
  let contextFile: Disposable | undefined
  try {
    const { local, remote, isLoopback } = await addressOf(listener, host)
    contextFile = writeContextFile(folder, remote)
    const launcher = typeof pool === 'object' ? pool : launcherOf(pool, folder, local)
    return {
      launcher,
      listener,
      invitation: { folder: resolve(folder), context: remote, isLoopback },
      async [Symbol.asyncDispose]() {
        await launcher?.[Symbol.asyncDispose]()
        contextFile?.[Symbol.dispose]()
        await listener[Symbol.asyncDispose]()
      },
    }
  } catch (error) {
    contextFile?.[Symbol.dispose]()
    await listener[Symbol.asyncDispose]()
    throw error
  }
}

function launcherOf(pool: PoolKind, folder: string, context: string): WorkerLauncher | undefined {
  const logFileOf = (workerId: string) => join(folder, 'logs', `${workerId}.log`)
  const program = (name: string) => new URL(`./${name}${extname(import.meta.url)}`, import.meta.url)
  switch (pool) {
    case 'process':
      return processLauncher({ program: program('worker-process'), context, logFileOf })
    case 'thread':
      return threadLauncher({ program: program('worker-thread'), logFileOf })
    case 'none':
      return undefined
    default:
      return pool satisfies never
  }
}
