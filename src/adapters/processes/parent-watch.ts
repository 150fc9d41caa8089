import { Worker } from 'node:worker_threads'

const CHECK_MS = 500

/** Runs in a separate thread, since a block's function may keep the main thread busy forever. */
const PROGRAM = `
  const { workerData: { parent, checkMs, graceMs } } = require('node:worker_threads')
  const checking = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(checking)
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), graceMs)
  }, checkMs)`

/**
 * Kills this process when the process that started it has ended for any reason; otherwise a worker that hangs would remain.
 * @param parent the id of that process; it passes its id on, because it may have ended before this process can query it
 * @param graceMs how long the running block may continue
 */
export function endWithParent(parent: number, graceMs: number): void {
  // On Windows a process keeps the parent id of a process that has ended.
  if (process.platform === 'win32') return
  const watch = new Worker(PROGRAM, {
    eval: true,
    workerData: { parent, checkMs: CHECK_MS, graceMs },
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 1, stackSizeMb: 1 },
  })
  watch.unref()
}
