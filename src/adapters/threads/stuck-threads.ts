let stuck = 0

/**
 * Threads, of workers or of Node's own for files, could not be ended, since a call to the system does not return. Node waits for them at its
 * end, even in `process.exit`.
 */
export function noteStuckThreads(count: number): void {
  stuck += count
}

/**
 * Ends a process that has threads which can't be ended, once its output is written; otherwise does nothing. Only another program in place of
 * this one ends them.
 * @param code the exit code
 */
export async function endWithStuckThreads(code: number): Promise<void> {
  if (stuck === 0) return
  for (const stream of [process.stdout, process.stderr]) await new Promise((resolve) => stream.write('', resolve))
  if (process.platform === 'win32') process.kill(process.pid)
  else process.execve?.('/bin/sh', ['sh', '-c', `exit ${code}`], {})
}
