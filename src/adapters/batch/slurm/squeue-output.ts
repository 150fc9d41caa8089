import type { JobState } from '../../../ports/job-queue.ts'

/** The fields of `squeue --format` that `parseSqueueText` reads. */
export const SQUEUE_FORMAT = '%i|%T|%r|%N'

/** Jobs by their id: `12`, or `12_3` for one of an array. */
export type ListedJobs = ReadonlyMap<string, JobState>

/** The largest array task id that is accepted in a range. */
const MAX_ARRAY = 4_000_000
/** The most jobs that one answer may list. */
const MAX_JOBS = 200_000

/** The fields of `squeue --format` that {@link parseSubmitted} reads. */
export const SUBMITTED_FORMAT = '%i|%o'

/** The jobs in the output of `squeue --noheader --array --format=SUBMITTED_FORMAT` whose command ends with this argument. */
export function parseSubmitted(text: string, argument: string): string[] {
  return text.split('\n').flatMap((line) => {
    const [, id, command] = /^(\d[\w[\],%:-]*)\|(.*)$/.exec(line) ?? []
    return id !== undefined && command?.endsWith(` ${argument}`) ? expandId(id) : []
  })
}

/**
 * Reads the output of `squeue --noheader --array --format=SQUEUE_FORMAT`.
 * @throws Error naming a line that can't be read
 */
export function parseSqueueText(text: string): ListedJobs {
  const jobs = new Map<string, JobState>()
  for (const line of text.split('\n')) {
    // With --clusters, squeue prints a heading in spite of --noheader.
    if (line.trim() === '' || line.startsWith('CLUSTER: ')) continue
    const [id, state, reason, nodes] = line.split('|').map((field) => field.trim())
    if (id === undefined || state === undefined || reason === undefined || nodes === undefined || !/^\d/.test(id)) {
      throw new Error(`squeue printed a line that can't be read: ${line.slice(0, 200)}`)
    }
    for (const each of expandId(id)) jobs.set(each, toJobState([state], reason, nodes))
    if (jobs.size > MAX_JOBS) throw tooMany()
  }
  return jobs
}

/**
 * Reads the output of `squeue --json`, from SLURM 20.11 (plain numbers, one state) to 25 (`{ set, number }`, lists of states).
 * @throws Error if it is not such a document
 */
export function parseSqueueJson(text: string): ListedJobs {
  const { jobs: listed } = JSON.parse(text) as { jobs?: unknown }
  if (!Array.isArray(listed)) throw new Error('squeue --json gave no list of jobs')
  const jobs = new Map<string, JobState>()
  for (const job of listed as readonly (Readonly<Record<string, unknown>> | null)[]) {
    if (typeof job !== 'object' || job === null) throw new Error('squeue --json gave a job that is not an object')
    const states = [job.job_state].flat().map(textOf)
    const state = toJobState(states, textOf(job.state_reason), textOf(job.nodes))
    for (const id of idsOf(job)) jobs.set(id, state)
    if (jobs.size > MAX_JOBS) throw tooMany()
  }
  return jobs
}

/** An object has no text that could be relied on. */
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')

function idsOf(job: Readonly<Record<string, unknown>>): string[] {
  const id = toNumber(job.job_id)
  const array = toNumber(job.array_job_id)
  const task = toNumber(job.array_task_id)
  const tasks = typeof job.array_task_string === 'string' ? job.array_task_string : ''
  if (id === undefined) throw new Error('squeue --json gave a job without an id')
  // A job outside an array has array_job_id 0 in all versions, and an array_task_id of null, none, or 0.
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

const tooMany = () => new Error(`squeue listed more than ${MAX_JOBS} jobs`)

/** `12_[1-3]` as `12_1`, `12_2`, `12_3`. */
function expandId(id: string): string[] {
  const array = /^(\d+)_\[(.*)\]$/.exec(id)
  return array === null ? [id] : expandTasks(array[2] as string).map((task) => `${array[1]}_${task}`)
}

/** `1-3,7%2` as 1, 2, 3, 7. A list that was cut (`…`) gives only the tasks before the cut. */
export function expandTasks(text: string): number[] {
  const tasks: number[] = []
  for (const part of text.replace(/%\d+$/, '').split(',')) {
    const range = /^(\d+)(?:-(\d+))?(?::(\d+))?$/.exec(part)
    if (range === null) continue
    const first = Number(range[1])
    const last = Number(range[2] ?? first)
    const step = Math.max(1, Number(range[3] ?? 1))
    if (last > MAX_ARRAY) throw new Error(`squeue named an array task ${last}`)
    if (tasks.length + (last - first) / step > MAX_JOBS) throw tooMany()
    for (let task = first; task <= last; task += step) tasks.push(task)
  }
  return tasks
}

/** @param states the state, in new versions with flags such as COMPLETING beside it */
export function toJobState(states: readonly string[], reason: string, nodes: string): JobState {
  const running: JobState = { status: 'running', host: nodes }
  // It has ended or is ending, but its processes may still be writing output.
  if (states.includes('COMPLETING')) return running
  const [state = ''] = states
  const ended = ENDED[state]
  if (ended !== undefined) {
    return { status: 'ended', reason: ended, ...(state === 'OUT_OF_MEMORY' ? { outOfMemory: {} } : {}) }
  }
  if (states.some((each) => PENDING.has(each))) return { status: 'pending', reason: explainReason(reason) }
  return running
}

/** In all other states (RUNNING, SUSPENDED, SIGNALING, STAGE_OUT, …) a job has a node and is alive. */
const PENDING: ReadonlySet<string> = new Set([
  ...['PENDING', 'CONFIGURING', 'REQUEUED', 'REQUEUE_FED', 'REQUEUE_HOLD', 'RESV_DEL_HOLD', 'SPECIAL_EXIT'],
])

const ENDED: Readonly<Record<string, string>> = {
  COMPLETED: 'its job ended',
  FAILED: 'its job failed',
  CANCELLED: 'its job was cancelled',
  TIMEOUT: 'its job reached its time limit (--time)',
  PREEMPTED: 'its job was pre-empted',
  NODE_FAIL: "its job's node failed",
  BOOT_FAIL: "its job's node did not start",
  OUT_OF_MEMORY: 'its job used more memory than it requested (--mem)',
  DEADLINE: 'its job missed its deadline',
  REVOKED: 'its job was moved to another cluster',
}

/** What SLURM's reasons mean. SLURM's own word stays in the text, so that users can search for it. */
const MEANINGS: readonly (readonly [RegExp, string])[] = [
  [/^Resources$/, 'no free node has what it requests'],
  [/^Priority$/, 'other jobs have priority'],
  [/^(PartitionTimeLimit|TimeLimit)$/, 'its --time exceeds the limit of the partition: it will never start'],
  [/^PartitionNodeLimit$/, 'it requests more nodes than the partition allows: it will never start'],
  [/^(PartitionDown|PartitionInactive)$/, 'the partition is down'],
  [/^(BadConstraints|AccountNotAllowed|InvalidAccount|InvalidQOS|QOSNotAllowed)$/, "it can't start with these options"],
  [/^ReqNodeNotAvail/, 'nodes that it needs are down, drained or reserved'],
  [/^(JobHeldUser|JobHeldAdmin)$/, 'it is held; release it with scontrol release'],
  [/^(BeginTime|JobArrayTaskLimit|Dependency)$/, 'it waits because of its own options'],
  [/^DependencyNeverSatisfied$/, 'its --dependency can no longer be met: it will never start'],
  [/^(Reservation|ReservationDeleted)$/, 'it waits for its reservation'],
  [/^Licenses$/, 'it waits for a licence'],
  [/^launch failed requeued held$/i, 'its start failed on the node; see the administrator'],
  [/^(QOS|Assoc).*(Limit|Max|Grp)/, 'a limit of your account or QOS is reached'],
  [/^(None|)$/, 'SLURM gives no reason'],
]

/** A reason as users see it: `Resources (no free node has what it requests)`. */
function explainReason(reason: string): string {
  const word = reason.replace(/^\((.*)\)$/, '$1')
  const meaning = MEANINGS.find(([pattern]) => pattern.test(word))?.[1]
  if (word === '' || word === 'None') return meaning as string
  return meaning === undefined ? word : `${word} (${meaning})`
}
