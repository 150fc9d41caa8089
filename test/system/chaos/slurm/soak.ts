import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { temporaryFolder } from '../../../support/command-line.ts'
import { slurmOrSkip } from '../../../support/slurm.ts'
import { brokenRound } from '../campaign.ts'
import { chanceOf } from '../chance.ts'
import { makeInputs } from '../inputs.ts'
import { POOLS, type Pool } from '../pools.ts'
import { playUndisturbed } from '../round.ts'
import type { Tally } from '../tally.ts'
import type { Result } from '../verdict.ts'
import { ALL_WORKLOADS, type Workload } from '../workloads.ts'
import { SiteCluster } from './site-cluster.ts'
import { playSiteRound } from './site-round.ts'

/** Lines of slurm.conf. A node that does not answer is lost after some seconds, not after five minutes. */
const SITE = ['nodes=4', 'SlurmdTimeout=15', 'KillWait=5', 'UnkillableStepTimeout=30']
/** Fewer than the nodes have room for, since jobs of coordinators that were killed stay for a while. */
const WORKERS = 6
/** The mean times of a block. */
const TIMES_MS = [5000, 1500]

const task = fileURLToPath(new URL('../tasks/paced.ts', import.meta.url))

/** A chain whose blocks take seconds. */
const paced = (ms: number): Workload => ({
  name: 'paced chain',
  command: (results, { raw }) => {
    const where = ['--input', raw, '--output', join(results, 'out.zarr')]
    return ['run', task, ...where, '--ms', String(ms)]
  },
  outputs: ['out.zarr/twice'],
  transient: ['out.zarr/once'],
})

/** Workloads, and what gives the same result sooner. */
const WORKLOADS: readonly (Workload & { readonly undisturbed?: Workload })[] = [
  ...TIMES_MS.map((ms) => ({ ...paced(ms), name: `paced chain of ${ms / 1000} s`, undisturbed: paced(0) })),
  ...ALL_WORKLOADS.filter(({ name }) => name === 'chain'),
]

/** Jobs that end at their limit in the middle of the run, or that don't. */
const POOL: Pool = {
  name: 'SLURM',
  flags: ['--pool', 'slurm', '--workers', String(WORKERS)],
  hasProcesses: false,
}
const LIMITS = ['--partition=short --time=3', '--partition=short --time=60']

export interface SiteSoakOptions {
  readonly seed: string
  /** The only round. @default all, until `isOver` */
  readonly round?: number | undefined
  /** The folder to which the files of a round with complaints are copied. @default they are removed */
  readonly keep?: string | undefined
  isOver(): boolean
  /** Called after each round. */
  onRound(): void
}

/** Plays rounds on a real SLURM of four nodes. The workloads take turns; a line is printed for each fault. */
export async function soakSite(tally: Tally, { seed, round, keep, isOver, onRound }: SiteSoakOptions): Promise<void> {
  const skip = (reason?: string) => {
    throw new Error(reason)
  }
  const slurm = await slurmOrSkip({ skip }, SITE)
  if (slurm === undefined) return
  process.env.SLURM_CONF = slurm.env.SLURM_CONF
  const cluster = new SiteCluster(slurm)
  using folder = temporaryFolder()
  const inputs = await makeInputs(folder.path)
  const known = new Map<string, Result>()
  for (let number = round ?? 0; !isOver(); number++) {
    const chance = chanceOf(`${seed}#${number}`)
    const workload = WORKLOADS[number % WORKLOADS.length] as (typeof WORKLOADS)[number]
    const limit = chance.pick(LIMITS)
    const pool = { ...POOL, name: `SLURM, ${limit}`, flags: [...POOL.flags, '--slurm', limit] }
    const setting = { workload, pool, chance, inputs, isDisturbed: false, isSynced: chance.happens(0.3), keep }
    const say = (line: string) => console.log(`${new Date().toISOString().slice(11, 19)} ${number}: ${line}`)
    say(`${workload.name}, ${limit}`)
    const plain = { ...setting, workload: workload.undisturbed ?? workload, pool: POOLS[0] as Pool, isSynced: false }
    const undisturbed = known.get(workload.name) ?? (await playUndisturbed(plain))
    known.set(workload.name, undisturbed)
    const report = await playSiteRound(setting, cluster, undisturbed, say).catch(brokenRound)
    tally.add(`--slurm --seed ${seed} --round ${number}`, `${workload.name}, SLURM`, report)
    say(
      `${report.complaints.length} complaints; ${report.faults.length} faults, ${report.starts} starts; ${tally.summary()}`,
    )
    for (const complaint of report.complaints) console.error(`  COMPLAINT: ${complaint}`)
    onRound()
    if (round !== undefined) return
  }
}
