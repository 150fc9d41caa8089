import type { JobState } from '../../../ports/job-queue.ts'
import { toJobState } from './squeue-output.ts'

/** The fields of `sacct --format` that {@link parseSacct} reads. */
export const SACCT_FORMAT = 'JobID,State,ReqMem,MaxRSS'

/** Reads the output of `sacct --noheader --parsable2`: how jobs ended that squeue no longer lists, and what memory they used. */
export function parseSacct(text: string): ReadonlyMap<string, JobState> {
  const ended = new Map<string, JobState>()
  const asked = new Map<string, string>()
  const used = new Map<string, number>()
  for (const line of text.split('\n')) {
    const [name = '', words = '', request = '', most = ''] = line.split('|')
    const [, id = '', step] = /^(\d+(?:_\d+)?)(\..+)?$/.exec(name) ?? []
    if (id === '') continue
    if (request !== '') asked.set(id, request)
    used.set(id, Math.max(used.get(id) ?? 0, bytesOf(most)))
    if (step !== undefined) continue
    // CANCELLED by 1000
    const state = toJobState([words.replace(/ .*$/, '').replace(/\+$/, '')], '', '')
    // The accounting may lag behind: squeue decides that a job is over.
    if (state.status === 'ended') ended.set(id, state)
  }
  for (const [id, state] of ended) {
    if (state.status !== 'ended' || state.outOfMemory === undefined) continue
    const request = asked.get(id)
    const most = used.get(id) ?? 0
    const outOfMemory = {
      ...(request === undefined ? {} : { asked: `${request} of memory` }),
      ...(most > 0 ? { used: most } : {}),
    }
    ended.set(id, { ...state, outOfMemory })
  }
  return ended
}

/** `1234K`, `1.5G`, `1234` (bytes); 0 if it is none. */
function bytesOf(text: string): number {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)([KMGT]?)$/.exec(text) ?? []
  return amount === undefined ? 0 : Number(amount) * 1024 ** ['', 'K', 'M', 'G', 'T'].indexOf(unit)
}
