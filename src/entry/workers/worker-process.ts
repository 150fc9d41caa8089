// The program of a worker process; only the process launcher starts it.

import { parseContext } from '../../adapters/links/context.ts'
import { blockOutput } from '../../adapters/processes/blocking-output.ts'
import { endWithParent } from '../../adapters/processes/parent-watch.ts'
import { takeSharedLock } from '../../adapters/sqlite/file-lock.ts'
import { OWN_SCHEME } from './module-name.ts'
import { runNetworkWorker } from './network-worker.ts'
import { watchUserCode } from './user-code.ts'

/** How long a block may continue after the coordinator has ended: its outcome could no longer be received. */
const ORPHAN_GRACE_MS = 2000

/** Another start of the run may be checking at this moment whether any worker is left. */
const LOCK_WAIT_MS = 1000

const { BELLIS_CONTEXT: context, BELLIS_WORKER: name, BELLIS_LOCK: lockFile, BELLIS_PARENT: parent } = process.env
if (context === undefined || name === undefined || parent === undefined) {
  console.error('This program can only be started by Bellis itself; use "bellis worker" to join a run.')
  process.exit(2)
}
blockOutput()
// Held until this process ends.
const lock = lockFile === undefined ? undefined : takeSharedLock(lockFile, LOCK_WAIT_MS)
const parentWatch = endWithParent(Number(parent), ORPHAN_GRACE_MS)
// Ctrl-C reaches all processes of the group; the coordinator handles it.
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
    // Bellis's own functions always return; only the user's may keep the main thread busy for good.
    beforeLoad: ({ module }) => {
      if (!module.startsWith(OWN_SCHEME)) parentWatch.watchFromThread()
    },
  })
  if (setupError !== undefined) throw new Error(setupError.stack ?? setupError.message)
} catch (error) {
  console.error(error instanceof Error ? (error.stack ?? error.message) : error)
  exitCode = 1
}
// The user's code may keep the process open, but the worker is done.
lock?.[Symbol.dispose]()
watch.exit(exitCode)
