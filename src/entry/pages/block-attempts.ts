import type { AttemptDetails } from '../../core/board/summary.ts'
import { recordedAttempts } from '../../runtime/coordinator/recorded-attempts.ts'
import { openProgressStore, type ProgressPlace, recordName } from '../run-folder/progress-place.ts'

/** The latest attempts of a block that are returned. */
const MAX_ATTEMPTS = 20

/**
 * Reads the failed attempts at a block from the record of its run, also while the run is running.
 * @returns the first attempt first; none if there is no record
 */
export async function readAttempts(
  folder: string,
  place: ProgressPlace,
  task: number,
  index: number,
): Promise<AttemptDetails[]> {
  await using store = await openProgressStore(place, folder)
  await using reader = await store?.read(await recordName(store, folder))
  if (reader === undefined) return []
  const attempts: AttemptDetails[] = []
  for await (const { block, attempt, workerId, host, time, durationMs, error } of recordedAttempts(reader, task)) {
    if (block !== index) continue
    attempts.push({ attempt, workerId, host, time, durationMs, ...error })
    if (attempts.length > MAX_ATTEMPTS) attempts.shift()
  }
  return attempts
}
