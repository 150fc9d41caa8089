import type { JobState } from '../../../ports/job-queue.ts'

export interface ListedJob {
  /** `7.1`: one task of an array. */
  readonly id: string
  readonly name: string
  /** SGE's letters: `qw`, `r`, `Eqw`, `dr`, … */
  readonly state: string
  /** Where it runs; empty before. */
  readonly queue: string
}

/** Reads what `qstat -g d -xml` prints; entries that are no task of an array are others' and left out. */
export function parseQstatXml(text: string): ListedJob[] {
  return [...text.matchAll(/<job_list\b[^>]*>([\s\S]*?)<\/job_list>/g)].flatMap(([, entry = '']) => {
    const field = (name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(entry)?.[1]?.trim() ?? ''
    const [number, task] = [field('JB_job_number'), field('tasks')]
    if (!/^\d+$/.test(number) || !/^\d+$/.test(task)) return []
    return [{ id: `${number}.${task}`, name: field('JB_name'), state: field('state'), queue: field('queue_name') }]
  })
}

export function toJobState(job: ListedJob | undefined, reason: string): JobState {
  if (job === undefined) return { status: 'ended', reason: 'its job is gone from the queue' }
  const { id, state, queue } = job
  if (state.includes('E')) return { status: 'ended', reason: `its start failed; qstat -j ${arrayOf(id)} says why` }
  if (state.includes('h')) return { status: 'pending', reason: 'it is held (qrls)' }
  if (state.includes('q')) return { status: 'pending', reason }
  return { status: 'running', host: queue.replace(/^.*@/, '') }
}

export const arrayOf = (jobId: string): string => jobId.replace(/\..*$/, '')
