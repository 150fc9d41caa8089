import { afterEach } from 'node:test'
import type { Run } from 'bellis'

const runs: Run[] = []

afterEach(async () => {
  await Promise.allSettled(runs.splice(0).map((run) => run.stop()))
})

/** A run that is over with its test: one that a test which failed has left on would keep its file from ever ending. */
export function endedRun(run: Run): Run {
  runs.push(run)
  return run
}
