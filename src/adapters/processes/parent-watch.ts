import { Worker } from 'node:worker_threads'
import { programGroups } from './program-groups.ts'

const CHECK_MS = 500

/** Runs in a separate thread, since a block's function may keep the main thread busy forever. */
const PROGRAM = `
  const { workerData: { parent, checkMs, graceMs, groups } } = require('node:worker_threads')
  const end = () => {
    // With the worker, the system kills only its programs, not what these have started.
    for (const leader of groups) {
      if (leader === 0) continue
      try { process.kill(-leader, 'SIGKILL') } catch {}
    }
    process.kill(process.pid, 'SIGKILL')
  }
  const checking = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(checking)
    setTimeout(end, graceMs)
  }, checkMs)`

/**
 * Kills this process, with its programs, when the process that started it has ended for any reason; otherwise a worker that hangs would remain.
 * @param parent the id of that process; it passes its id on, because it may have ended before this process can query it
 * @param graceMs how long the running block may continue
 */
export function endWithParent(parent: number, graceMs: number): void {
  // On Windows a process keeps the parent id of a process that has ended.
  if (process.platform === 'win32') return
  const watch = new Worker(PROGRAM, {
    eval: true,
    workerData: { parent, checkMs: CHECK_MS, graceMs, groups: programGroups },
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 1, stackSizeMb: 1 },
  })
  watch.unref()
}
