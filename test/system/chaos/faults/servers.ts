import { setTimeout as wait } from 'node:timers/promises'
import type { HostMood } from '../file-host.ts'
import type { FaultDuring } from './fault.ts'

const inMood = (kind: string, mood: HostMood): FaultDuring => ({
  kind,
  when: 'during',
  suits: (site) => site.setting.workload.reads === 'http',
  async strike(site, start) {
    const { host } = site
    if (start.isOver || host === undefined) return false
    host.mood = mood
    await Promise.race([start.ended, wait(site.setting.chance.between(200, 4000))])
    host.mood = 'well'
    return true
  },
  mayEnd: ({ code, stderr, stdout }) => (code === 1 || code === 2) && /http:\/\/127/.test(stderr + stdout),
})

export const SERVERS: readonly FaultDuring[] = [
  inMood('expired address of the input', 'expired'),
  inMood('server of the input that fails', 'failing'),
  inMood('server of the input that cuts its answers', 'cutting'),
]
