import { InfrastructureError } from '../../core/errors.ts'
import type { FailedAttempt, RunReader } from '../../ports/progress-store.ts'

/** The last moment of a `Date`, and the first one before 0. */
const LAST_MS = 8.64e15

/** The failed attempts of a task, in the order of the record. @throws InfrastructureError `CORRUPT_DATA` for what others have made of one */
export async function* recordedAttempts(reader: RunReader, task: number): AsyncIterable<FailedAttempt> {
  const { id = '', blockCount = 0 } = reader.identity.tasks[task] ?? {}
  for await (const attempt of reader.failedAttempts(task)) {
    const field = wrongField(attempt, blockCount)
    if (field === undefined) yield attempt
    else
      throw new InfrastructureError(
        'CORRUPT_DATA',
        `The record is damaged: "${field}" of a failed attempt of task "${id}" was changed; restore the record, or start again with --overwrite.`,
      )
  }
}

function wrongField(attempt: FailedAttempt, blockCount: number): string | undefined {
  const { block, error, workerId, host, durationMs, time } = attempt
  const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0
  const isText = (value: unknown) => typeof value === 'string'
  const checks = {
    block: isCount(block) && block < blockCount,
    attempt: isCount(attempt.attempt),
    code: isText(error.code),
    message: isText(error.message),
    stack: error.stack === undefined || isText(error.stack),
    workerId: isText(workerId),
    host: isText(host),
    durationMs: Number.isFinite(durationMs),
    time: Number.isFinite(time) && Math.abs(time) <= LAST_MS,
  }
  return Object.entries(checks).find(([, isRight]) => !isRight)?.[0]
}
