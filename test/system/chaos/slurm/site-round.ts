import { setTimeout as wait } from 'node:timers/promises'
import { until } from '../../../support/processes.ts'
import type { Chance } from '../chance.ts'
import type { RoundReport } from '../round.ts'
import { type Setting, Site } from '../site.ts'
import { largest, type Start } from '../start.ts'
import { differences, leftovers, type Result, readResult, temporaryFiles } from '../verdict.ts'
import type { SiteCluster } from './site-cluster.ts'
import { Storm } from './storm.ts'

/** No start takes as long as this unless it hangs. */
const HANG_MS = 1_800_000
/** Workers of a coordinator that was killed give up after five minutes. */
const LINGER_MS = 400_000
/** The coordinator is killed after each of these parts of the blocks. */
const KILLS = [0.25, 0.5, 0.75]

/** Does a workload on a cluster that is disturbed all the time, with a coordinator that is killed three times, and compares every voxel. */
export async function playSiteRound(
  setting: Setting,
  cluster: SiteCluster,
  undisturbed: Result,
  say: (line: string) => void,
): Promise<RoundReport> {
  await using site = await Site.open(setting)
  const storm = new Storm(cluster, setting.chance.fork('storm'), say)
  try {
    await startUntilDone(site, cluster, storm, setting.chance)
  } finally {
    await storm.end()
  }
  if (site.complaints.length === 0) await assertNothingLeft(site, cluster, say)
  const result = site.complaints.length === 0 ? await readResult(site) : undefined
  const found = result === undefined ? [] : differences(result, undisturbed)
  for (const difference of found) site.complain(difference)
  const { starts, complaints } = site
  return {
    faults: storm.faults,
    starts: starts.length,
    blocks: starts.reduce((sum, start) => sum + start.blocksDone(), 0),
    voxels: result?.voxels ?? 0,
    differences: found.length,
    temporaryFiles: temporaryFiles(site),
    coordinator: largest(starts.map((start) => start.largest)),
    worker: { memoryBytes: 0, handles: 0 },
    complaints,
  }
}

async function startUntilDone(site: Site, cluster: SiteCluster, storm: Storm, chance: Chance): Promise<void> {
  const kills = [...KILLS]
  for (;;) {
    // A start that SLURM refuses is refused, so only those that are running are disturbed.
    await cluster.openForJobs()
    const start = site.start()
    const killed = killAt(kills[0], site, start)
    const raging = storm.rage(start)
    const ending = await Promise.race([start.ended, wait(HANG_MS, undefined, { ref: false })])
    if (ending === undefined) {
      site.complain(`it hangs: ${start.blocksDone()} blocks are done`, start.output.stderr)
      start.signal('SIGKILL', 'all')
    }
    await raging
    if (await killed) {
      kills.shift()
      storm.note('coordinator killed', { what: `after ${blocksOf(site)} blocks` })
    } else if (ending !== undefined) {
      const { code, stderr } = ending
      if (/internal error|\n {4}at /.test(stderr)) site.complain('it printed a stack trace', stderr)
      if (code !== 0) site.complain(`it ended with ${code}`, stderr)
      else for (const left of leftovers(site, stderr, false)) site.complain(left)
    }
    if (site.complaints.length > 0 || ending?.code === 0) return
    await wait(chance.between(0, 20_000))
  }
}

const blocksOf = (site: Site): number => site.starts.reduce((sum, start) => sum + start.blocksDone(), 0)

/** @param part of all blocks, after which it is killed; undefined: it is not. @returns whether it was killed, once it has ended */
async function killAt(part: number | undefined, site: Site, start: Start): Promise<boolean> {
  if (part === undefined) return false
  const before = blocksOf(site)
  const isReached = () => {
    const left = start.blocksLeft()
    return left !== undefined && blocksOf(site) >= part * (before + start.blocksDone() + left)
  }
  await until('it is killed', () => start.isOver || isReached(), HANG_MS).catch(() => {})
  if (start.isOver) return false
  start.signal('SIGKILL')
  return (await start.ended).code === 'SIGKILL'
}

/** No job stays. */
async function assertNothingLeft(site: Site, cluster: SiteCluster, say: (line: string) => void): Promise<void> {
  const ended = performance.now()
  let left: number | undefined
  while (performance.now() < ended + LINGER_MS) {
    left = await cluster.jobsLeft()
    if (left === 0) break
    await wait(1000)
  }
  say(`no job is left ${((performance.now() - ended) / 1000).toFixed(0)} s after the end`)
  if (left !== 0) site.complain(`${left} jobs are left after the end of the run`)
}
