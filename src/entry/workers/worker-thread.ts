// The program of a worker thread; only the thread launcher starts it.
import { hostname } from 'node:os'
import { parentPort, threadId } from 'node:worker_threads'
import { portChannel } from '../../adapters/threads/port-channel.ts'
import type { WorkerMessage } from '../../core/protocol/messages.ts'
import { OpenedArrays } from '../../runtime/worker/setup-arrays.ts'
import { runWorker } from '../../runtime/worker/worker-loop.ts'
import { arrayStore } from '../arrays.ts'
import { breathe, systemClock } from '../clock.ts'
import { loadTask, printFailure } from './network-worker.ts'
import { programsPeakMemory } from './peak-memory.ts'
import { watchUserCode } from './user-code.ts'

if (parentPort === null) {
  console.error('This program can only be started by Bellis itself.')
  process.exit(2)
}
const channel = portChannel<WorkerMessage>(parentPort, new Promise(() => {}))
const watch = watchUserCode()
let exitCode = 0
{
  await using arrays = new OpenedArrays(arrayStore)
  const { setupError } = await runWorker({
    connect: async () => channel,
    clock: systemClock,
    breathe,
    pid: threadId,
    host: hostname(),
    signal: new AbortController().signal,
    drain: watch.signal,
    loadTask: (task, workerId) => loadTask(task, workerId, arrays, watch),
    onBlockFailed: printFailure,
    // The process is shared with other workers, so only the memory of this worker's programs is reported.
    usage: () => ({ ...arrays.traffic, peakMemory: programsPeakMemory() }),
  })
  if (setupError !== undefined) {
    console.error(setupError.stack ?? setupError.message)
    exitCode = 1
  }
}
watch.exit(exitCode)
