import type { JobState } from '../../../ports/job-queue.ts'
import { FORGOTTEN } from '../batch-system.ts'

export interface ListedJob {
  /** `7.1`: one task of an array. */
  readonly id: string
  readonly name: string
  /** SGE's letters: `qw`, `r`, `Eqw`, `dr`, … */
  readonly state: string
  /** The queue that it runs in; empty before its start. */
  readonly queue: string
}

/** Reads the output of `qstat -g d -xml`. Entries that are no task of an array belong to others and are left out. */
export function parseQstatXml(text: string): ListedJob[] {
  return [...text.matchAll(/<job_list\b[^>]*>([\s\S]*?)<\/job_list>/g)].flatMap(([, entry = '']) => {
    const field = (name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(entry)?.[1]?.trim() ?? ''
    const [number, task] = [field('JB_job_number'), field('tasks')]
    if (!/^\d+$/.test(number) || !/^\d+$/.test(task)) return []
    return [{ id: `${number}.${task}`, name: field('JB_name'), state: field('state'), queue: field('queue_name') }]
  })
}

export function toJobState(job: ListedJob | undefined, reason: string): JobState {
  if (job === undefined) return FORGOTTEN
  const { id, state, queue } = job
  if (state.includes('E')) return { status: 'ended', reason: `its start failed; see qstat -j ${arrayOf(id)}` }
  if (state.includes('h')) return { status: 'pending', reason: 'it is held; release it with qrls' }
  if (state.includes('q')) return { status: 'pending', reason }
  return { status: 'running', host: queue.replace(/^.*@/, '') }
}

export const arrayOf = (jobId: string): string => jobId.replace(/\..*$/, '')
