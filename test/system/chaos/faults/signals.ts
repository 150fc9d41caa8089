import { setTimeout as wait } from 'node:timers/promises'
import { workersOf } from '../pools.ts'
import type { Site } from '../site.ts'
import { type Ending, signalProcess } from '../start.ts'
import type { FaultDuring } from './fault.ts'

const hasWorkers = ({ setting }: Site) => setting.pool.hasProcesses

/** A signal before the command handles signals ends it at once. */
const stopped = ({ code, stderr }: Ending) =>
  code === 'SIGINT' || code === 'SIGTERM' || (code === 130 && !stderr.includes('internal error'))

const toCoordinator = (signal: NodeJS.Signals, mayEnd: (ending: Ending) => boolean): FaultDuring => ({
  kind: `${signal} to the coordinator`,
  when: 'during',
  async strike(_, start) {
    if (start.isOver) return false
    start.signal(signal)
    await start.ended
    return true
  },
  mayEnd,
})

const toWorker = (signal: NodeJS.Signals): FaultDuring => ({
  kind: `${signal} to a worker`,
  when: 'during',
  suits: hasWorkers,
  async strike(site, start) {
    const workers = workersOf(site)
    if (start.isOver || workers.length === 0) return false
    signalProcess(site.setting.chance.pick(workers), signal)
    return true
  },
})

const frozen = (kind: string, pidsOf: (site: Site, coordinator: number) => readonly number[]): FaultDuring => ({
  kind,
  when: 'during',
  async strike(site, start) {
    const pids = start.isOver ? [] : pidsOf(site, start.pid)
    for (const pid of pids) signalProcess(pid, 'SIGSTOP')
    await wait(site.setting.chance.between(50, 4000))
    for (const pid of pids) signalProcess(pid, 'SIGCONT')
    return pids.length > 0
  },
})

const oneWorker = (site: Site): number[] => {
  const workers = workersOf(site)
  return workers.length === 0 ? [] : [site.setting.chance.pick(workers)]
}

export const SIGNALS: readonly FaultDuring[] = [
  toCoordinator('SIGKILL', ({ code }) => code === 'SIGKILL'),
  toCoordinator('SIGTERM', stopped),
  toCoordinator('SIGINT', stopped),
  {
    kind: 'SIGINT twice to the coordinator',
    when: 'during',
    async strike(site, start) {
      if (start.isOver) return false
      start.signal('SIGINT')
      await wait(site.setting.chance.between(0, 80))
      start.signal('SIGINT')
      await start.ended
      return true
    },
    mayEnd: stopped,
  },
  {
    kind: 'SIGKILL to all',
    when: 'during',
    async strike(site, start) {
      if (start.isOver) return false
      start.signal('SIGKILL', 'all')
      site.joined?.replaceAll()
      await start.ended
      return true
    },
    mayEnd: ({ code }) => code === 'SIGKILL',
  },
  toWorker('SIGKILL'),
  toWorker('SIGTERM'),
  toWorker('SIGINT'),
  frozen('SIGSTOP and SIGCONT to the coordinator', (_, coordinator) => [coordinator]),
  { ...frozen('SIGSTOP and SIGCONT to a worker', oneWorker), suits: hasWorkers },
  frozen('SIGSTOP and SIGCONT to all', (site, coordinator) => [coordinator, ...workersOf(site)]),
]
