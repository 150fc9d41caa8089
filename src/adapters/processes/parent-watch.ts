import { Worker } from 'node:worker_threads'

const CHECK_MS = 500

/** Runs in a thread of its own: a block's function may keep the main one busy for ever. */
const PROGRAM = `
  const { workerData: { parent, checkMs, graceMs } } = require('node:worker_threads')
  const checking = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(checking)
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), graceMs)
  }, checkMs)`

/**
 * Ends this process when the one that started it is gone, however it went: nobody would end a worker that hangs then.
 * @param parent its number, from that process itself: it may be gone before this one asks
 * @param graceMs what the running block may still take
 */
export function endWithParent(parent: number, graceMs: number): void {
  // There a process keeps the number of its parent when that is gone.
  if (process.platform === 'win32') return
  const watch = new Worker(PROGRAM, {
    eval: true,
    workerData: { parent, checkMs: CHECK_MS, graceMs },
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 1, stackSizeMb: 1 },
  })
  watch.unref()
}
