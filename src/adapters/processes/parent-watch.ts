import { Worker } from 'node:worker_threads'
import { programGroups } from './program-groups.ts'

const CHECK_MS = 500

/** Runs in a separate thread, since a function may keep the main thread busy forever. */
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

/** Watches the process that started this one. */
export interface ParentWatch {
  /** From now on, also while the main thread is busy. A thread takes a fifth of the time in which a worker starts. */
  watchFromThread(): void
}

/**
 * Kills this process, with its programs, when the process that started it has ended for any reason; otherwise a worker that hangs would
 * remain. Until `watchFromThread` is called, it has no programs, and notices that only while its main thread is free.
 * @param parent the id of that process; it passes its id on, because it may have ended before this process can query it
 * @param graceMs how long the running block may continue
 */
export function endWithParent(parent: number, graceMs: number): ParentWatch {
  // On Windows a process keeps the parent id of a process that has ended.
  if (process.platform === 'win32') return { watchFromThread() {} }
  const checking = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(checking)
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), graceMs).unref()
  }, CHECK_MS).unref()
  let isInThread = false
  return {
    watchFromThread() {
      if (isInThread) return
      isInThread = true
      clearInterval(checking)
      startThread(parent, graceMs)
    },
  }
}

function startThread(parent: number, graceMs: number): void {
  const watch = new Worker(PROGRAM, {
    eval: true,
    workerData: { parent, checkMs: CHECK_MS, graceMs, groups: programGroups },
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 1, stackSizeMb: 1 },
  })
  watch.unref()
}
