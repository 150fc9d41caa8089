// The program of a worker process; started by the process launcher alone.
import { hostname } from 'node:os'
import { parentChannel } from '../adapters/processes/parent-channel.ts'
import { endWithParent } from '../adapters/processes/parent-watch.ts'
import { importTask, setUpTask } from '../runtime/load-task.ts'
import { OpenedArrays } from '../runtime/setup-arrays.ts'
import { runWorker } from '../runtime/worker-loop.ts'
import { arrayStore } from './arrays.ts'
import { breathe, systemClock } from './clock.ts'

/** How long a block may go on when the coordinator is gone: nobody would hear of it. */
const ORPHAN_GRACE_MS = 2000

const channel = parentChannel()
if (channel === undefined) {
  console.error('This program is started by Bellis itself.')
  process.exit(2)
}
// Ctrl-C reaches the whole group: the coordinator decides what it means.
process.on('SIGINT', () => {})
const drain = new AbortController()
process.on('SIGTERM', () => drain.abort())
endWithParent(ORPHAN_GRACE_MS)
const arrays = new OpenedArrays(arrayStore)
await runWorker({
  channel,
  clock: systemClock,
  breathe,
  pid: process.pid,
  host: hostname(),
  signal: new AbortController().signal,
  drain: drain.signal,
  loadTask: async (task, workerId) => setUpTask(await importTask(task.module, task.name), task, arrays, workerId),
})
await arrays[Symbol.asyncDispose]()
// Not before everything was sent; and not later, whatever a task has left open: a timer, a connection.
await channel.closed
process.exit()
