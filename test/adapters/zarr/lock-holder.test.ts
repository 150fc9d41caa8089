import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { hasEnded, identityOfProcess } from '../../../src/adapters/files/process-identity.ts'
import { isDead, newHolder } from '../../../src/adapters/zarr/lock-holder.ts'
import { temporaryFolder } from '../../support/command-line.ts'
import { until } from '../../support/processes.ts'

/** @param pid of a process of this machine */
function startOf(pid: number): string {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] as string
}

describe('a process that holds something', { skip: process.platform !== 'linux' }, () => {
  it('R3: has ended once it was killed, even if its parent never asks for it', async () => {
    using folder = temporaryFolder()
    const parent = spawn('sh', ['-c', 'sleep 100 & echo $!; exec sleep 100'], { stdio: ['ignore', 'pipe', 'inherit'] })
    try {
      const [line] = await once(parent.stdout, 'data')
      const pid = Number(String(line))
      const processStart = startOf(pid)
      const file = join(folder.path, 'lock')
      writeFileSync(file, '')
      const holder = { ...newHolder({}), pid, processStart }
      const process_ = { ...identityOfProcess(), pid, processStart }
      assert.deepEqual([await isDead(file, holder), await hasEnded(process_)], [false, false])
      process.kill(pid, 'SIGKILL')
      await until('it is dead', () => / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8')))
      assert.deepEqual([await isDead(file, holder), await hasEnded(process_)], [true, true])
      // Another process that was given its number is not it.
      assert.equal(await isDead(file, { ...newHolder({}), processStart: '1' }), true)
    } finally {
      parent.kill('SIGKILL')
    }
  })
})
