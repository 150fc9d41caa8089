import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  lacksPods,
  parseStates,
  partsOf,
  withRefusals,
  workersOf,
} from '../../../../src/adapters/batch/kubernetes/pod-states.ts'

const pod = (index: number, status: object, more: { readonly spec?: object; readonly created?: string } = {}) => ({
  kind: 'Pod',
  metadata: {
    name: `run-1-${index}-x7k2p`,
    labels: { 'batch.kubernetes.io/job-name': 'run-1', 'batch.kubernetes.io/job-completion-index': String(index) },
    creationTimestamp: more.created ?? '2026-01-01T00:00:00Z',
  },
  spec: { nodeName: 'n1', containers: [{ resources: { limits: { memory: '4Gi' } } }], ...more.spec },
  status,
})
const job = (status: object) => ({ kind: 'Job', metadata: { name: 'run-1' }, spec: { completions: 9 }, status })
const container = (state: object) => [{ state }]

const statesOf = (items: readonly object[], ...indices: readonly number[]) => {
  const ids = indices.map((index) => `run-1-${index}`)
  const states = parseStates(JSON.stringify({ items }), ids)
  return ids.map((id) => states.get(id))
}

describe('the states of pods', () => {
  it('say where a pod runs, and why one waits', () => {
    const unschedulable = {
      type: 'PodScheduled',
      status: 'False',
      reason: 'Unschedulable',
      message: '0/2 nodes are available: 2 Insufficient memory.\n',
    }
    const items = [
      pod(0, { phase: 'Running', containerStatuses: container({ running: {} }) }),
      pod(1, { phase: 'Pending', conditions: [unschedulable] }, { spec: { nodeName: undefined } }),
      pod(2, {
        phase: 'Pending',
        containerStatuses: container({
          waiting: { reason: 'ImagePullBackOff', message: 'Back-off pulling image "x"' },
        }),
      }),
      pod(3, { phase: 'Pending' }),
      job({ failedIndexes: '5,7-8', completedIndexes: '6' }),
    ]
    assert.deepEqual(statesOf(items, 0, 1, 2, 3, 4), [
      { status: 'running', host: 'n1' },
      { status: 'pending', reason: 'Unschedulable: 0/2 nodes are available: 2 Insufficient memory' },
      { status: 'pending', reason: 'ImagePullBackOff: Back-off pulling image "x"' },
      { status: 'pending', reason: 'Kubernetes gives no reason' },
      { status: 'pending', reason: 'it has no pod yet' },
    ])
    const gone = { status: 'ended', reason: 'its job is no longer in the queue' }
    assert.deepEqual(statesOf(items, 5, 6, 7, 8), [gone, gone, gone, gone])
    assert.deepEqual(statesOf([], 0), [gone])
    const over = job({ conditions: [{ type: 'Failed', status: 'True' }] })
    assert.deepEqual(statesOf([over], 0), [gone])
  })

  it('say why a job has no pod, if an event of it does', () => {
    const about = (name: string, message: string, more: object = {}) => ({
      ...{ involvedObject: { kind: 'Job', name }, reason: 'FailedCreate', message, lastTimestamp: null },
      ...more,
    })
    const events = JSON.stringify({
      items: [
        about('run-1', 'exceeded quota: em, limited: pods=4', { lastTimestamp: '2026-01-01T00:00:02Z' }),
        about('run-1', 'exceeded quota: em, limited: pods=2', { lastTimestamp: '2026-01-01T00:00:01Z' }),
        about('run-2', 'of another job'),
        about('run-1', 'created', { reason: 'SuccessfulCreate', lastTimestamp: '2026-01-01T00:00:03Z' }),
      ],
    })
    const items = [pod(0, { phase: 'Running' }), pod(1, { phase: 'Pending' }), job({})]
    const states = parseStates(JSON.stringify({ items }), ['run-1-0', 'run-1-1', 'run-1-2'])
    assert.ok(lacksPods(states))
    assert.deepEqual(
      [...withRefusals(states, events).values()],
      [
        { status: 'running', host: 'n1' },
        { status: 'pending', reason: 'Kubernetes gives no reason' },
        { status: 'pending', reason: 'it has no pod: FailedCreate: exceeded quota: em, limited: pods=4' },
      ],
    )
    assert.deepEqual(withRefusals(states, '{"items":[]}'), states)
    assert.ok(!lacksPods(parseStates(JSON.stringify({ items }), ['run-1-0', 'run-1-1'])))
  })

  it('say how a pod has ended, and that memory was the reason', () => {
    const failed = (terminated: object) => ({ phase: 'Failed', containerStatuses: container({ terminated }) })
    const lowMemory = 'The node was low on resource: memory. Threshold quantity: 100Mi, available: 8Mi.'
    const disruption = {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'PreemptionByScheduler',
      message: 'preempted',
    }
    const items = [
      pod(0, {
        phase: 'Succeeded',
        containerStatuses: container({ terminated: { exitCode: 0, reason: 'Completed' } }),
      }),
      pod(1, failed({ exitCode: 1, reason: 'Error' })),
      pod(2, failed({ exitCode: 137, reason: 'OOMKilled' })),
      pod(3, { phase: 'Failed', reason: 'Evicted', message: lowMemory }),
      pod(4, { ...failed({ exitCode: 143, reason: 'Error' }), conditions: [disruption] }),
      pod(5, {
        phase: 'Failed',
        reason: 'DeadlineExceeded',
        message: 'Pod was active on the node longer than the specified deadline',
      }),
      // Containers of the user's template are still running.
      pod(6, {
        phase: 'Running',
        containerStatuses: [{ state: { terminated: { exitCode: 2, reason: 'Error' } } }, { state: {} }],
      }),
    ]
    const asked = { asked: '--memory=4Gi' }
    assert.deepEqual(statesOf(items, 0, 1, 2, 3, 4, 5, 6), [
      { status: 'ended', reason: 'its pod ended' },
      { status: 'ended', reason: 'its pod failed: exit code 1' },
      { status: 'ended', reason: 'its pod failed: OOMKilled, exit code 137', outOfMemory: asked },
      { status: 'ended', reason: `its pod failed: Evicted: ${lowMemory.slice(0, -1)}`, outOfMemory: asked },
      { status: 'ended', reason: 'its pod failed: PreemptionByScheduler: preempted' },
      {
        status: 'ended',
        reason: 'its pod failed: DeadlineExceeded: Pod was active on the node longer than the specified deadline',
      },
      { status: 'ended', reason: 'its pod failed: exit code 2' },
    ])
  })

  it('are those of the later pod, if an index has two', () => {
    const items = [
      pod(0, { phase: 'Running' }, { created: '2026-01-01T00:00:02Z' }),
      pod(0, { phase: 'Failed' }, { created: '2026-01-01T00:00:01Z' }),
    ]
    assert.deepEqual(statesOf(items, 0), [{ status: 'running', host: 'n1' }])
  })

  it('belong to ids of a job and an index', () => {
    assert.deepEqual(partsOf('bellis-smooth-1a2b3c-12-7'), ['bellis-smooth-1a2b3c-12', '7'])
    assert.deepEqual([workersOf(JSON.stringify(job({}))), workersOf('')], [9, 0])
  })
})
