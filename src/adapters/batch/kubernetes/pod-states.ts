import { given } from '../../../core/given.ts'
import type { JobState } from '../../../ports/job-queue.ts'
import { FORGOTTEN } from '../batch-system.ts'
import { INDEX_LABEL, JOB_LABEL } from './job-manifest.ts'

interface Condition {
  readonly type?: string
  readonly status?: string
  readonly reason?: string
  readonly message?: string
}

interface ContainerState {
  readonly waiting?: { readonly reason?: string; readonly message?: string }
  readonly terminated?: { readonly reason?: string; readonly message?: string; readonly exitCode?: number }
}

interface Listed {
  readonly kind?: string
  readonly metadata?: {
    readonly name?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly creationTimestamp?: string
    readonly deletionTimestamp?: string
  }
  readonly spec?: {
    readonly nodeName?: string
    readonly completions?: number
    readonly containers?: readonly { readonly resources?: { readonly limits?: Readonly<Record<string, string>> } }[]
  }
  readonly status?: {
    readonly phase?: string
    readonly reason?: string
    readonly message?: string
    readonly conditions?: readonly Condition[]
    readonly containerStatuses?: readonly { readonly state?: ContainerState }[]
    readonly failedIndexes?: string
    readonly completedIndexes?: string
  }
}

interface Event {
  readonly involvedObject?: { readonly kind?: string; readonly name?: string }
  readonly reason?: string
  readonly message?: string
  readonly lastTimestamp?: string | null
}

/** The reason of events of jobs whose pods can't be made. */
export const FAILED_CREATE = 'FailedCreate'
const WITHOUT_POD: JobState = { status: 'pending', reason: 'it has no pod yet' }

/** `bellis-smooth-1a2b3c-1-0`: a job's name, and the index of the worker in it. */
export const idOf = (job: string, index: number | string): string => `${job}-${index}`

/** The job of an id, and the index in it. */
export function partsOf(id: string): readonly [job: string, index: string] {
  const at = id.lastIndexOf('-')
  return [id.slice(0, at), id.slice(at + 1)]
}

/** How many workers a job has, from the output of `kubectl get job -o json`; 0 if there is none. */
export const workersOf = (json: string): number =>
  json.trim() === '' ? 0 : ((JSON.parse(json) as Listed).spec?.completions ?? 0)

/**
 * The states of workers, from the output of `kubectl get pods,jobs -o json`.
 * @throws SyntaxError if it is not JSON
 */
export function parseStates(json: string, ids: readonly string[]): ReadonlyMap<string, JobState> {
  const { items = [] } = JSON.parse(json) as { readonly items?: readonly Listed[] }
  const pods = new Map<string, Listed>()
  const jobs = new Map<string, Listed>()
  for (const item of items) {
    const { name = '', labels = {}, creationTimestamp = '' } = item.metadata ?? {}
    if (item.kind === 'Job') jobs.set(name, item)
    const [job, index] = [labels[JOB_LABEL], labels[INDEX_LABEL]]
    if (item.kind !== 'Pod' || job === undefined || index === undefined) continue
    const id = idOf(job, index)
    // The later of two pods with the same index is that which counts.
    if ((pods.get(id)?.metadata?.creationTimestamp ?? '') <= creationTimestamp) pods.set(id, item)
  }
  return new Map(
    ids.map((id) => {
      const pod = pods.get(id)
      const [job, index] = partsOf(id)
      return [id, pod === undefined ? stateWithoutPod(jobs.get(job), Number(index)) : stateOf(pod)]
    }),
  )
}

function stateWithoutPod(job: Listed | undefined, index: number): JobState {
  const { conditions = [], failedIndexes, completedIndexes } = job?.status ?? {}
  const isOver = conditions.some(({ type, status }) => /^(Failed|Complete)$/.test(type ?? '') && status === 'True')
  if (job === undefined || isOver || isListed(failedIndexes, index) || isListed(completedIndexes, index))
    return FORGOTTEN
  return WITHOUT_POD
}

/** Why jobs have no pods, from the output of `kubectl get events -o json`: the last word about each. @throws SyntaxError if it is not JSON */
function refusals(json: string): ReadonlyMap<string, string> {
  const { items = [] } = JSON.parse(json) as { readonly items?: readonly Event[] }
  const words = new Map<string, { readonly time: string; readonly text: string }>()
  for (const { involvedObject: { kind, name = '' } = {}, reason, message, lastTimestamp } of items) {
    const text = sentence(reason, message)
    if (kind !== 'Job' || reason !== FAILED_CREATE || text === undefined) continue
    const time = lastTimestamp ?? ''
    if ((words.get(name)?.time ?? '') <= time) words.set(name, { time, text })
  }
  return new Map([...words].map(([name, { text }]) => [name, text]))
}

/** Workers without pods, with the reason that Kubernetes gives: a quota is used up, or a rule of the cluster forbids them. */
export function withRefusals(states: ReadonlyMap<string, JobState>, events: string): ReadonlyMap<string, JobState> {
  const reasons = refusals(events)
  return new Map(
    [...states].map(([id, state]) => {
      const reason = state === WITHOUT_POD ? reasons.get(partsOf(id)[0]) : undefined
      return [id, reason === undefined ? state : { status: 'pending', reason: `it has no pod: ${reason}` }]
    }),
  )
}

/** Whether Kubernetes has not made the pods of some workers. */
export const lacksPods = (states: ReadonlyMap<string, JobState>): boolean => [...states.values()].includes(WITHOUT_POD)

/** @param list `0,2-5` */
function isListed(list: string | undefined, index: number): boolean {
  return (list ?? '').split(',').some((part) => {
    const [first = '', last = first] = part.split('-')
    return first !== '' && index >= Number(first) && index <= Number(last)
  })
}

function stateOf({ spec = {}, status = {} }: Listed): JobState {
  const { phase, containerStatuses = [] } = status
  // The first container is the worker; others of the user's template may end at any time.
  const { terminated, waiting } = containerStatuses[0]?.state ?? {}
  if (phase === 'Succeeded') return { status: 'ended', reason: 'its pod ended' }
  if (phase === 'Failed' || terminated !== undefined) return endOf({ spec, status }, terminated)
  if (phase !== 'Pending') return { status: 'running', host: spec.nodeName ?? '' }
  const unscheduled = status.conditions?.find(({ type, status }) => type === 'PodScheduled' && status === 'False')
  const words = waiting ?? unscheduled
  return { status: 'pending', reason: sentence(words?.reason, words?.message) ?? 'Kubernetes gives no reason' }
}

function endOf({ spec, status = {} }: Listed, terminated: ContainerState['terminated']): JobState {
  const disruption = status.conditions?.find(({ type, status }) => type === 'DisruptionTarget' && status === 'True')
  const isEvicted = status.reason !== undefined || disruption !== undefined
  const isOut = terminated?.reason === 'OOMKilled' || /low on resource: memory/.test(status.message ?? '')
  const asked = spec?.containers?.[0]?.resources?.limits?.memory
  const why = isEvicted
    ? sentence(status.reason ?? disruption?.reason, status.message ?? disruption?.message)
    : sentence(terminated?.reason === 'Error' ? undefined : terminated?.reason, terminated?.message)
  const code = terminated?.exitCode === undefined ? undefined : `exit code ${terminated.exitCode}`
  const how = [why, isEvicted ? undefined : code].filter((each) => each !== undefined).join(', ')
  return {
    status: 'ended',
    reason: how === '' ? 'its pod failed' : `its pod failed: ${how}`,
    ...(isOut ? { outOfMemory: given({ asked: asked === undefined ? undefined : `--memory=${asked}` }) } : {}),
  }
}

/** A reason of Kubernetes and its explanation, in one line. */
function sentence(reason: string | undefined, message: string | undefined): string | undefined {
  const text = [reason, message].filter((each) => each !== undefined && each !== '').join(': ')
  const line = text.replace(/\s+/g, ' ').trim().replace(/\.$/, '').slice(0, 300)
  return line === '' ? undefined : line
}
