import { afterEach } from 'node:test'
import type { Run } from 'bellis'

const runs: Run[] = []

afterEach(async () => {
  await Promise.allSettled(runs.splice(0).map((run) => run.stop()))
})

/** Stops a run with its test: one that a failed test left running would keep the test file from ending. */
export function endedRun(run: Run): Run {
  runs.push(run)
  return run
}
