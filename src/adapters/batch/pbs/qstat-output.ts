import type { MemoryDeath } from '../../../core/workers/worker-state.ts'
import type { JobState } from '../../../ports/job-queue.ts'
import { FORGOTTEN } from '../batch-system.ts'

export interface ListedJob {
  /** `12.server`, or `12` where the server is left out. */
  readonly id: string
  readonly name: string
  /** PBS's letter: `Q`, `R`, `C`, … */
  readonly state: string
  readonly host: string
  /** Why it waits, if PBS says so. */
  readonly comment: string
  /** 256 and the number of a signal that ended it, or its exit code; undefined if it has not ended. */
  readonly exitStatus: number | undefined
  /** What it asked for and used, if it used all of it. */
  readonly usedUp: MemoryDeath | undefined
}

/** Reads the output of `qstat -f`, of Torque, OpenPBS and PBS Professional. */
export function parseQstat(text: string): ListedJob[] {
  return text
    .split(/^Job Id:/m)
    .slice(1)
    .map((entry) => {
      const [id = ''] = entry.split('\n')
      // A line that begins with a tab and has no field continues the one before.
      const whole = entry.replace(/\n\t(?!\w[\w.]* = )/g, '')
      const field = (name: string) => new RegExp(`^\\s*${name} = (.*)$`, 'im').exec(whole)?.[1]?.trim() ?? ''
      const exit = field('exit_status')
      return {
        id: id.trim(),
        name: field('Job_Name'),
        state: field('job_state'),
        host: field('exec_host').replace(/[/+].*$/, ''),
        comment: field('comment'),
        exitStatus: exit === '' ? undefined : Number(exit),
        usedUp: usedUpIn(field),
      }
    })
}

/** Whether a job has used all the memory of one kind that it asked for. */
function usedUpIn(field: (name: string) => string): MemoryDeath | undefined {
  for (const kind of ['mem', 'vmem', 'pmem', 'pvmem']) {
    const asked = field(`Resource_List\\.${kind}`)
    const used = bytesOf(field(`resources_used\\.${kind.replace('p', '')}`))
    if (bytesOf(asked) > 0 && used >= bytesOf(asked)) return { asked: `-l ${kind}=${asked}`, used }
  }
  return undefined
}

/** `4gb`, `123kb`, `4000` (bytes); 0 if it is none. Words (`w`) have eight bytes. */
function bytesOf(text: string): number {
  const [, amount, unit = '', of = 'b'] = /^(\d+)([kmgt]?)([bw]?)$/i.exec(text) ?? []
  if (amount === undefined) return 0
  return (
    Number(amount) * 1024 ** ['', 'k', 'm', 'g', 't'].indexOf(unit.toLowerCase()) * (of.toLowerCase() === 'w' ? 8 : 1)
  )
}

/** The number in a job's id, which is the same wherever the server is named in full, in short or not at all. */
export const numberOf = (jobId: string): string => jobId.replace(/\..*$/, '')

export function toJobState(job: ListedJob | undefined): JobState {
  if (job === undefined) return FORGOTTEN
  const { state, host, comment, exitStatus, usedUp } = job
  if (state === 'H') return { status: 'pending', reason: 'it is held; release it with qrls' }
  if (/^[QWT]$/.test(state)) return { status: 'pending', reason: comment === '' ? 'PBS gives no reason' : comment }
  if (!/^[CFXU]$/.test(state)) return { status: 'running', host }
  // One that ended by itself, with all its memory in use, did not fail.
  if (exitStatus === 0 || exitStatus === undefined || usedUp === undefined)
    return { status: 'ended', reason: reasonOf(exitStatus) }
  return { status: 'ended', reason: 'its job used more memory than it asked for', outOfMemory: usedUp }
}

/** Negative numbers are failures before the start: `JOB_EXEC_…` of PBS. */
function reasonOf(exitStatus: number | undefined): string {
  if (exitStatus === undefined || exitStatus === 0) return 'its job ended'
  if (exitStatus < 0) return `its job was not started or not kept by PBS (exit status ${exitStatus})`
  return exitStatus > 256
    ? `its job was ended by signal ${exitStatus - 256}, as at its -l walltime or mem limit`
    : `its job failed (exit code ${exitStatus})`
}
