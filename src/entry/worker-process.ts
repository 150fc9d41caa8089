// The program of a worker process; started by the process launcher alone.
import { endWithParent } from '../adapters/processes/parent-watch.ts'
import { parseContext } from '../adapters/tcp/context.ts'
import { runNetworkWorker } from './network-worker.ts'
import { watchUserCode } from './user-code.ts'

/** How long a block may go on when the coordinator is gone: nobody would hear of it. */
const ORPHAN_GRACE_MS = 2000

const { BELLIS_CONTEXT: context, BELLIS_WORKER: name } = process.env
if (context === undefined || name === undefined) {
  console.error('This program is started by Bellis itself; "bellis worker" joins a run.')
  process.exit(2)
}
endWithParent(ORPHAN_GRACE_MS)
// Ctrl-C reaches the whole group: the coordinator decides what it means.
process.on('SIGINT', () => {})
const drain = new AbortController()
process.on('SIGTERM', () => drain.abort())
const watch = watchUserCode()
let exitCode = 0
try {
  const { setupError } = await runNetworkWorker({
    readContext: () => parseContext(context),
    name,
    reconnectMs: 60_000,
    drain: drain.signal,
    watch,
  })
  if (setupError !== undefined) throw new Error(setupError.stack ?? setupError.message)
} catch (error) {
  console.error(error instanceof Error ? (error.stack ?? error.message) : error)
  exitCode = 1
}
// Something in the user's code may still be open; the worker's work is done.
watch.exit(exitCode)
