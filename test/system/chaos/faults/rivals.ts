import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { bellis, type CommandResult } from '../../../support/command-line.ts'
import type { Site } from '../site.ts'
import type { Start } from '../start.ts'
import type { FaultDuring } from './fault.ts'

/** The number of blocks that a start must still have to do, so that it is running in any case. */
const FAR_FROM_ITS_END = 8

/**
 * Another start, which has to be refused, while the coordinator of the first one stands still. It may only succeed if the first one was
 * about to end.
 */
const refused = (kind: string, rival: (site: Site) => Promise<CommandResult>, reason: RegExp): FaultDuring => ({
  kind,
  when: 'during',
  async strike(site, start) {
    if (start.isOver || start.blocksDone() === 0) return false
    start.signal('SIGSTOP')
    try {
      if ((start.blocksLeft() ?? 0) < FAR_FROM_ITS_END) return false
      const { code, stderr } = await rival(site)
      if (code !== 2 || !reason.test(stderr)) site.complain(`${kind} ended with ${code}`, stderr)
      return true
    } finally {
      start.signal('SIGCONT')
    }
  },
})

const otherFolder = (site: Site): string => mkdtempSync(join(site.path, 'other-'))
const again = (site: Site, cwd: string, flags: readonly string[]) =>
  bellis([...site.setting.workload.command(site.results, site.inputs), '--pool', 'inline', '--quiet', ...flags], {
    cwd,
  })

/** Commands that only read. */
const readers: FaultDuring = {
  kind: 'readers',
  when: 'during',
  async strike(site: Site, start: Start) {
    const folder = site.runFolder()
    if (start.isOver || folder === undefined) return false
    const read = (...args: string[]) => bellis(args, { cwd: site.path })
    for (const { code, stderr } of await Promise.all([
      read('status', folder, '--json'),
      read('runs', '--run-dir', site.runs, '--json'),
    ]))
      if (code !== 0) site.complain(`a reader ended with ${code}`, stderr)
    return true
  },
}

export const RIVALS: readonly FaultDuring[] = [
  refused(
    'the same command a second time',
    (site) => again(site, site.path, ['--run-dir', site.runs]),
    /is running|being written|running already|already running/,
  ),
  refused('the same command in another folder', (site) => again(site, otherFolder(site), []), /being written by/),
  refused(
    '--overwrite in another folder',
    (site) => again(site, otherFolder(site), ['--overwrite', '--yes']),
    /being written by/,
  ),
  readers,
]
