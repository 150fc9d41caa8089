import { setTimeout as wait } from 'node:timers/promises'
import type { LinkState } from '../link-proxy.ts'
import type { Site } from '../site.ts'
import type { FaultDuring } from './fault.ts'

const hasProxy = (site: Site) => site.proxy !== undefined

const inState = (kind: string, state: LinkState, mostMs: number): FaultDuring => ({
  kind,
  when: 'during',
  suits: hasProxy,
  async strike(site, start) {
    const { proxy } = site
    if (proxy === undefined || start.isOver) return false
    proxy.state = state
    await Promise.race([start.ended, wait(site.setting.chance.between(100, mostMs))])
    // What was swallowed is missing, so these connections are of no use any more.
    if (state === 'silent') proxy.cut()
    proxy.state = 'open'
    return true
  },
})

export const LINKS: readonly FaultDuring[] = [
  {
    kind: 'cut links',
    when: 'during',
    suits: hasProxy,
    async strike({ proxy, setting }, start) {
      if (proxy === undefined || start.isOver) return false
      for (let cuts = setting.chance.between(1, 4); cuts > 0 && !start.isOver; cuts--) {
        proxy.cut()
        await wait(setting.chance.between(0, 400))
      }
      return true
    },
  },
  inState('late links', 'late', 3000),
  inState('silent links', 'silent', 5000),
]
