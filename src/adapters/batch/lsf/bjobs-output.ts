import type { JobState } from '../../../ports/job-queue.ts'

/** The fields of `bjobs -o` that {@link parseBjobs} reads. The reasons come last: they may contain anything. */
export const BJOBS_FORMAT = "jobid jobindex stat exec_host exit_reason pend_reason delimiter='|'"

/** The fields of `bjobs -o` that {@link parseCommands} reads. */
export const COMMAND_FORMAT = "jobid jobindex stat command delimiter='|'"

/** `12[3]`: one job of an array. */
const idOf = (number: string, index: string): string => `${number}[${index}]`

/** Reads the output of `bjobs -noheader -o BJOBS_FORMAT`. Jobs that are in no array belong to others and are left out. */
export function parseBjobs(text: string): ReadonlyMap<string, JobState> {
  const jobs = new Map<string, JobState>()
  for (const line of text.split('\n')) {
    const [number = '', index = '', state = '', host = '', exit = '', ...pending] = line.split('|')
    if (/^\d+$/.test(number) && /^[1-9]\d*$/.test(index))
      jobs.set(idOf(number, index), toJobState(state, given(host), given(exit), given(pending.join('|'))))
  }
  return jobs
}

export interface SubmittedJob {
  readonly id: string
  readonly state: string
  readonly command: string
}

/** Reads the output of `bjobs -noheader -o COMMAND_FORMAT`. */
export function parseCommands(text: string): SubmittedJob[] {
  return text.split('\n').flatMap((line) => {
    const [number = '', index = '', state = '', ...command] = line.split('|')
    return /^\d+$/.test(number) && /^[1-9]\d*$/.test(index)
      ? [{ id: idOf(number, index), state, command: command.join('|').trim() }]
      : []
  })
}

/** LSF prints a dash for a field without a value. */
const given = (field: string): string => (field.trim() === '-' ? '' : field.trim())

function toJobState(state: string, host: string, exit: string, pending: string): JobState {
  switch (state.trim()) {
    case 'PEND':
    case 'WAIT':
      return { status: 'pending', reason: pending === '' ? 'LSF gives no reason' : pending }
    case 'PSUSP':
      return { status: 'pending', reason: 'it is held; release it with bresume' }
    case 'DONE':
      return { status: 'ended', reason: 'its job ended' }
    case 'EXIT':
    case 'ZOMBI':
      return {
        status: 'ended',
        reason: exit === '' ? 'its job failed' : `its job failed: ${exit}`,
        ...(/TERM_MEMLIMIT|TERM_SWAP|memory (usage )?limit/i.test(exit) ? { outOfMemory: {} } : {}),
      }
    default:
      // `4*n07:2*n08` for several slots. A suspended job is alive, and so may be one whose host does not answer.
      return { status: 'running', host: host.replace(/:.*$/, '').replace(/^\d+\*/, '') }
  }
}
