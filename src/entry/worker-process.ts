// The program of a worker process; started by the process launcher alone.
import { hostname } from 'node:os'
import { parentChannel } from '../adapters/processes/parent-channel.ts'
import { importTask, setUpTask } from '../runtime/load-task.ts'
import { OpenedArrays } from '../runtime/setup-arrays.ts'
import { runWorker } from '../runtime/worker-loop.ts'
import { arrayStore } from './arrays.ts'
import { breathe, systemClock } from './clock.ts'

const channel = parentChannel()
if (channel === undefined) {
  console.error('This program is started by Bellis itself.')
  process.exit(2)
}
// Ctrl-C reaches the whole group: the coordinator decides what it means.
process.on('SIGINT', () => {})
const drain = new AbortController()
process.on('SIGTERM', () => drain.abort())
await using arrays = new OpenedArrays(arrayStore)
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
