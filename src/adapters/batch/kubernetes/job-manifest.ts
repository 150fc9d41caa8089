import type { Fields, PodOptions } from './pod-options.ts'

/** The label of everything that belongs to one start of a run. */
export const START = 'bellis/start'
/** Of the pods of an Indexed Job: the name of the job, and the pod's index in it. */
export const JOB_LABEL = 'batch.kubernetes.io/job-name'
export const INDEX_LABEL = 'batch.kubernetes.io/job-completion-index'

export interface JobManifest {
  /** The name of the job, and of the Secret with the run's context and the names of its workers. */
  readonly name: string
  readonly start: string
  readonly workers: number
  /** The worker's program and its arguments. */
  readonly command: readonly string[]
  readonly workFolder: string
  readonly noticeSeconds: number
  /** Nodes on which no pod may run. */
  readonly avoided: readonly string[]
  readonly options: PodOptions
}

/** Jobs whose pods have all ended are removed after this time, if the run itself could not do it. */
const REMOVED_AFTER_SECONDS = 3600

/** Each pod picks its name by its index. They come together, since one Secret serves all. */
const START_WORKER = [
  'if [ -n "$BELLIS_WORKERS" ]; then',
  `BELLIS_WORKER=$(printf '%s\\n' "$BELLIS_WORKERS" | sed -n "$((JOB_COMPLETION_INDEX + 1))p")`,
  'export BELLIS_WORKER; unset BELLIS_WORKERS',
  'fi',
  'exec "$@"',
].join('\n')

/** The workers as an Indexed Job. A pod is never started again under its name: Bellis replaces workers itself. */
export function jobManifest(manifest: JobManifest): Fields {
  const { name, start, workers, options } = manifest
  const labels = { [START]: start }
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, labels },
    spec: {
      completionMode: 'Indexed',
      completions: workers,
      parallelism: workers,
      // A failed worker must not end the others.
      backoffLimitPerIndex: 0,
      ttlSecondsAfterFinished: REMOVED_AFTER_SECONDS,
      template: {
        metadata: {
          ...options.template.metadata,
          labels: { ...(options.template.metadata.labels as Fields | undefined), ...labels },
        },
        spec: podSpec(manifest),
      },
    },
  }
}

function podSpec(manifest: JobManifest): Fields {
  const { options, avoided, noticeSeconds } = manifest
  const { spec } = options.template
  const others = Array.isArray(spec.containers) ? spec.containers.slice(1) : []
  return {
    // Asked to leave, a worker finishes its block.
    terminationGracePeriodSeconds: noticeSeconds,
    automountServiceAccountToken: false,
    ...spec,
    restartPolicy: 'Never',
    ...(options.serviceAccount === undefined ? {} : { serviceAccountName: options.serviceAccount }),
    nodeSelector: { ...(spec.nodeSelector as Fields | undefined), ...options.nodeSelector },
    ...(avoided.length === 0 ? {} : { affinity: withoutNodes(spec.affinity, avoided) }),
    containers: [workerContainer(manifest), ...others],
  }
}

function workerContainer({ name, command, workFolder, options }: JobManifest): Fields {
  const { container } = options.template
  const { requests = {}, limits = {}, ...claims } = (container.resources ?? {}) as Record<string, Fields>
  const { cpu, ...limited } = options.resources
  const ofSecret = (key: string, more: Fields = {}) => ({ valueFrom: { secretKeyRef: { name, key, ...more } } })
  return {
    name: 'worker',
    workingDir: workFolder,
    ...container,
    image: options.image,
    command: ['/bin/sh', '-c', START_WORKER, 'bellis-worker', ...command],
    args: [],
    env: [
      ...(Array.isArray(container.env) ? container.env : []),
      { name: 'BELLIS_CONTEXT', ...ofSecret('context') },
      { name: 'BELLIS_WORKERS', ...ofSecret('workers', { optional: true }) },
      { name: 'BELLIS_NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
    ],
    resources: {
      ...claims,
      requests: { ...requests, ...limited, ...(cpu === undefined ? {} : { cpu }) },
      limits: { ...limits, ...limited },
    },
  }
}

/** Adds the condition to each of the user's terms: a node has to meet one of them. */
function withoutNodes(given: unknown, nodes: readonly string[]): Fields {
  const affinity = (given ?? {}) as Record<string, Fields | undefined>
  const node = affinity.nodeAffinity ?? {}
  const required = (node.requiredDuringSchedulingIgnoredDuringExecution ?? {}) as { nodeSelectorTerms?: Fields[] }
  const { nodeSelectorTerms: terms = [{}] } = required
  return {
    ...affinity,
    nodeAffinity: {
      ...node,
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: terms.map((term) => ({
          ...term,
          // A field may be compared with one name at a time.
          matchFields: [
            ...((term.matchFields as Fields[] | undefined) ?? []),
            ...nodes.map((name) => ({ key: 'metadata.name', operator: 'NotIn', values: [name] })),
          ],
        })),
      },
    },
  }
}
