import { setTimeout as wait } from 'node:timers/promises'
import type { Chance } from '../chance.ts'
import type { Start } from '../start.ts'
import type { SiteCluster } from './site-cluster.ts'

/** Something that happened to a cluster. */
export interface Struck {
  /** The node or the job. */
  readonly what: string
  /** How long it lasts. @default it is over at once */
  readonly lastsMs?: number
  readonly undo?: () => Promise<void>
}

/** Something bad that happens on a cluster while a run uses it. */
export interface ClusterFault {
  readonly kind: string
  /** How often it is drawn. @default 1 */
  readonly weight?: number
  /** @returns undefined if there is nothing that it could strike */
  strike(cluster: SiteCluster, chance: Chance, start: Start): Promise<Struck | undefined>
}

/** One node always stays. */
const MOST_NODES_HIT = 3

/** What happens to one node, and how it is put right. */
const toNode = (
  kind: string,
  between: readonly [number, number],
  strike: (cluster: SiteCluster, node: string) => Promise<unknown>,
  undo: (cluster: SiteCluster, node: string) => Promise<unknown>,
): ClusterFault => ({
  kind,
  async strike(cluster, chance) {
    const free = cluster.nodes.filter((node) => !cluster.hit.has(node))
    if (cluster.hit.size >= MOST_NODES_HIT || free.length === 0) return undefined
    const node = chance.pick(free)
    cluster.hit.add(node)
    await strike(cluster, node)
    return {
      what: node,
      lastsMs: chance.between(...between),
      undo: async () => {
        await undo(cluster, node)
        cluster.hit.delete(node)
      },
    }
  },
})

/** What happens to one job that is running. */
const toJob = (
  kind: string,
  strike: (cluster: SiteCluster, id: string, chance: Chance) => Promise<Omit<Struck, 'what'> | undefined>,
  weight = 1,
): ClusterFault => ({
  kind,
  weight,
  async strike(cluster, chance) {
    const jobs = await cluster.runningJobs()
    if (jobs.length === 0) return undefined
    const { id, node } = chance.pick(jobs)
    return { what: `job ${id} on ${node}`, ...(await strike(cluster, id, chance)) }
  },
})

const stateOf = (node: string, state: string) => ['update', `NodeName=${node}`, `State=${state}`, 'Reason=soak']

const setState = (cluster: SiteCluster, node: string, state: string) => cluster.ask('scontrol', ...stateOf(node, state))

const resume = (cluster: SiteCluster, node: string) => cluster.insist('scontrol', ...stateOf(node, 'RESUME'))

/** Starts the daemon of a node again if it has ended. A node that SLURM took for lost comes back when it answers. */
const bringBack = async (cluster: SiteCluster, node: string) => {
  if (cluster.daemon(node).length === 0) await cluster.revive(node)
}

export const NODE_FAULTS: readonly ClusterFault[] = [
  toNode('node drained', [3000, 30_000], (cluster, node) => setState(cluster, node, 'DRAIN'), resume),
  toNode('node set down', [3000, 30_000], (cluster, node) => setState(cluster, node, 'DOWN'), resume),
  // Its jobs go on, and SLURM takes the node for lost if it takes longer than SlurmdTimeout.
  toNode(
    'slurmd killed',
    [1000, 45_000],
    async (cluster, node) => cluster.signal(cluster.daemon(node), 'SIGKILL'),
    bringBack,
  ),
  toNode(
    'node killed',
    [1000, 45_000],
    async (cluster, node) => cluster.signal(cluster.processesOn(node), 'SIGKILL'),
    bringBack,
  ),
  toNode(
    'node frozen',
    [1000, 45_000],
    async (cluster, node) => cluster.signal(cluster.processesOn(node), 'SIGSTOP'),
    async (cluster, node) => cluster.signal(cluster.processesOn(node), 'SIGCONT'),
  ),
]

export const JOB_FAULTS: readonly ClusterFault[] = [
  toJob('job cancelled', async (cluster, id) => {
    await cluster.ask('scancel', id)
    return undefined
  }),
  toJob('job killed', async (cluster, id) => {
    await cluster.ask('scancel', '--signal=KILL', '--batch', id)
    return undefined
  }),
  toJob('job requeued', async (cluster, id) => {
    await cluster.ask('scontrol', 'update', `JobId=${id}`, 'Requeue=1')
    await cluster.ask('scontrol', 'requeue', id)
    return undefined
  }),
  toJob('job suspended', async (cluster, id, chance) => {
    await cluster.ask('scontrol', 'suspend', id)
    return {
      lastsMs: chance.between(1000, 20_000),
      // It may have ended.
      undo: async () => {
        await cluster.ask('scontrol', 'resume', id)
      },
    }
  }),
  toJob('worker frozen', async (cluster, id, chance) => {
    const pids = cluster.jobProcesses({ id })
    cluster.signal(pids, 'SIGSTOP')
    return { lastsMs: chance.between(1000, 45_000), undo: async () => cluster.signal(pids, 'SIGCONT') }
  }),
]

export const OTHER_FAULTS: readonly ClusterFault[] = [
  {
    kind: 'jobs pre-empted',
    weight: 2,
    async strike(cluster, chance) {
      const nodes = chance.between(1, 2)
      const seconds = chance.between(1, 15)
      const how = ['--partition=urgent', `--nodes=${nodes}`, '--exclusive', '--output=/dev/null', '--time=1']
      await cluster.ask('sbatch', ...how, `--wrap=sleep ${seconds}`)
      return { what: `${nodes} nodes for ${seconds} s` }
    },
  },
  {
    kind: 'slurmctld killed',
    async strike(cluster, chance) {
      const pids = cluster.daemon('slurmctld')
      if (pids.length === 0) return undefined
      cluster.signal(pids, 'SIGKILL')
      return {
        what: 'the controller',
        lastsMs: chance.between(500, 40_000),
        undo: async () => {
          if (cluster.daemon('slurmctld').length === 0) await cluster.revive('slurmctld')
        },
      }
    },
  },
  {
    kind: 'partition down',
    async strike(cluster, chance) {
      const set = (state: string) => cluster.ask('scontrol', 'update', 'PartitionName=short', `State=${state}`)
      await set(chance.pick(['DOWN', 'INACTIVE', 'DRAIN']))
      return {
        what: 'short',
        lastsMs: chance.between(1000, 30_000),
        undo: () => cluster.insist('scontrol', 'update', 'PartitionName=short', 'State=UP'),
      }
    },
  },
  {
    kind: 'coordinator frozen',
    async strike(_, chance, start) {
      if (start.isOver) return undefined
      start.signal('SIGSTOP')
      await wait(chance.between(100, 20_000))
      start.signal('SIGCONT')
      return { what: 'the run' }
    },
  },
]

const ALL = [...NODE_FAULTS, ...JOB_FAULTS, ...OTHER_FAULTS]
const DRAWN = ALL.flatMap((fault) => Array.from({ length: fault.weight ?? 1 }, () => fault))

export const drawFault = (chance: Chance): ClusterFault => chance.pick(DRAWN)
