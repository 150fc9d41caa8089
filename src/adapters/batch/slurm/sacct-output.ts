import type { JobState } from '../../../ports/job-queue.ts'
import { toJobState } from './squeue-output.ts'

/** The fields of `sacct --format` that {@link parseSacct} reads. */
export const SACCT_FORMAT = 'JobID,State'

/** Reads the output of `sacct --noheader --parsable2 --allocations`: how jobs ended that squeue no longer lists. */
export function parseSacct(text: string): ReadonlyMap<string, JobState> {
  const ended = new Map<string, JobState>()
  for (const line of text.split('\n')) {
    const [id = '', words = ''] = line.split('|')
    // CANCELLED by 1000
    const state = toJobState([words.replace(/ .*$/, '').replace(/\+$/, '')], '', '')
    // The accounting may lag behind: squeue decides that a job is over.
    if (/^\d+(_\d+)?$/.test(id) && state.status === 'ended') ended.set(id, state)
  }
  return ended
}
