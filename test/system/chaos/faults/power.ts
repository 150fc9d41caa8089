import { clearJournal, losePower, loseRecord } from '../power-cut.ts'
import type { Site } from '../site.ts'
import type { Start } from '../start.ts'
import type { FaultDuring } from './fault.ts'

async function endAll(site: Site, start: Start): Promise<void> {
  start.signal('SIGKILL', 'all')
  await start.ended
  await site.endWorkers()
}

const wasKilled: FaultDuring['mayEnd'] = ({ code }) => code === 'SIGKILL'

export const POWER_CUTS: readonly FaultDuring[] = [
  {
    kind: 'power cut with --fsync',
    when: 'during',
    suits: (site) => site.journal !== undefined && site.setting.isSynced,
    async strike(site, start) {
      if (start.isOver) return false
      await endAll(site, start)
      losePower(site.journal as string, site.setting.chance)
      clearJournal(site.journal as string)
      return true
    },
    mayEnd: wasKilled,
  },
  {
    kind: 'power cut that takes the record back',
    when: 'during',
    suits: (site) => site.journal !== undefined && !site.setting.isSynced,
    async strike(site, start) {
      const folder = site.runFolder()
      if (start.isOver || folder === undefined) return false
      await endAll(site, start)
      return loseRecord(site.journal as string, folder)
    },
    mayEnd: wasKilled,
  },
]
