import type { JobState } from '../../../ports/job-queue.ts'
import { explainReason } from './pending-reasons.ts'

/** The fields of `squeue --format` that `parseSqueueText` reads. */
export const SQUEUE_FORMAT = '%i|%T|%r|%N'

/** Jobs by their id: `12`, or `12_3` for one of an array. */
export type ListedJobs = ReadonlyMap<string, JobState>

/** The most jobs of one array that a range in an answer may stand for. */
const MAX_ARRAY = 4_000_000

/**
 * Reads what `squeue --noheader --array --format=SQUEUE_FORMAT` prints.
 * @throws Error naming the line that is none
 */
export function parseSqueueText(text: string): ListedJobs {
  const jobs = new Map<string, JobState>()
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue
    const [id, state, reason, nodes] = line.split('|').map((field) => field.trim())
    if (id === undefined || state === undefined || reason === undefined || nodes === undefined || !/^\d/.test(id)) {
      throw new Error(`squeue printed a line that can't be read: ${line.slice(0, 200)}`)
    }
    for (const each of expandId(id)) jobs.set(each, toJobState([state], reason, nodes))
  }
  return jobs
}

/**
 * Reads what `squeue --json` prints, of SLURM 20.11 (plain numbers, one state) to 25 (`{ set, number }`, lists of states).
 * @throws Error when it is not such a document
 */
export function parseSqueueJson(text: string): ListedJobs {
  const { jobs: listed } = JSON.parse(text) as { jobs?: unknown }
  if (!Array.isArray(listed)) throw new Error('squeue --json gave no list of jobs')
  const jobs = new Map<string, JobState>()
  for (const job of listed as readonly Record<string, unknown>[]) {
    const states = [job.job_state].flat().map(String)
    const state = toJobState(states, String(job.state_reason ?? ''), String(job.nodes ?? ''))
    for (const id of idsOf(job)) jobs.set(id, state)
  }
  return jobs
}

function idsOf(job: Readonly<Record<string, unknown>>): string[] {
  const id = toNumber(job.job_id)
  const array = toNumber(job.array_job_id)
  const task = toNumber(job.array_task_id)
  const tasks = typeof job.array_task_string === 'string' ? job.array_task_string : ''
  if (id === undefined) throw new Error('squeue --json gave a job without an id')
  // A job of no array has array_job_id 0 in all versions, and an array_task_id of null, nothing, or 0.
  if (array === undefined || array === 0) return [String(id)]
  if (tasks !== '') return expandTasks(tasks).map((each) => `${array}_${each}`)
  return [task === undefined ? String(id) : `${array}_${task}`]
}

function toNumber(value: unknown): number | undefined {
  if (typeof value === 'number') return value
  if (typeof value !== 'object' || value === null) return undefined
  const { set, number } = value as { set?: unknown; number?: unknown }
  return set === true && typeof number === 'number' ? number : undefined
}

/** `12_[1-3]` as `12_1`, `12_2`, `12_3`. */
function expandId(id: string): string[] {
  const array = /^(\d+)_\[(.*)\]$/.exec(id)
  return array === null ? [id] : expandTasks(array[2] as string).map((task) => `${array[1]}_${task}`)
}

/** `1-3,7%2` as 1, 2, 3, 7; a list that was cut (`…`) ends where it was. */
export function expandTasks(text: string): number[] {
  const tasks: number[] = []
  for (const part of text.replace(/%\d+$/, '').split(',')) {
    const range = /^(\d+)(?:-(\d+))?(?::(\d+))?$/.exec(part)
    if (range === null) continue
    const first = Number(range[1])
    const last = Number(range[2] ?? first)
    const step = Math.max(1, Number(range[3] ?? 1))
    if (last > MAX_ARRAY) throw new Error(`squeue named an array task ${last}`)
    for (let task = first; task <= last; task += step) tasks.push(task)
  }
  return tasks
}

/** @param states the state, in new versions with flags such as COMPLETING beside it */
function toJobState(states: readonly string[], reason: string, nodes: string): JobState {
  const running: JobState = { status: 'running', host: nodes }
  // It has ended or is ending, but its processes, and so its output, may not be through.
  if (states.includes('COMPLETING')) return running
  const [state = ''] = states
  const ended = ENDED[state]
  if (ended !== undefined) return { status: 'ended', reason: ended }
  if (states.some((each) => PENDING.has(each))) return { status: 'pending', reason: explainReason(reason) }
  return running
}

/** All other states (RUNNING, SUSPENDED, SIGNALING, STAGE_OUT, …) are those of a job that has a node and lives. */
const PENDING: ReadonlySet<string> = new Set([
  ...['PENDING', 'CONFIGURING', 'REQUEUED', 'REQUEUE_FED', 'REQUEUE_HOLD', 'RESV_DEL_HOLD', 'SPECIAL_EXIT'],
])

const ENDED: Readonly<Record<string, string>> = {
  COMPLETED: 'its job ended',
  FAILED: 'its job failed',
  CANCELLED: 'its job was cancelled',
  TIMEOUT: 'its job reached its time limit',
  PREEMPTED: 'its job was pre-empted',
  NODE_FAIL: "its job's node failed",
  BOOT_FAIL: "its job's node did not start",
  OUT_OF_MEMORY: 'its job used more memory than it asked for (--mem)',
  DEADLINE: 'its job missed its deadline',
  REVOKED: 'its job was moved to another cluster',
}
