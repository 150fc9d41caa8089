import { execFile } from 'node:child_process'
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { FaultDuring } from './fault.ts'

const intruder = fileURLToPath(new URL('../intruder.mjs', import.meta.url))
/** The user and group "nobody" of most systems. */
const NOBODY = 65_534
const run = promisify(execFile)

export const OTHER_USER: FaultDuring = {
  kind: 'another user of the machine',
  when: 'during',
  suits: () => process.getuid?.() === 0,
  async strike(site, start) {
    const folder = site.runFolder()
    if (start.isOver || folder === undefined) return false
    // Only what Bellis itself does keeps the other user out.
    chmodSync(site.path, 0o755)
    const output = join(site.results, site.setting.workload.outputs[0] as string)
    const args = [intruder, folder, output, String(start.pid)]
    const { stdout } = await run(process.execPath, args, { uid: NOBODY, gid: NOBODY, cwd: '/' })
    if (stdout !== '') site.complain('another user could do this', stdout)
    return true
  },
}
