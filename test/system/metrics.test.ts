import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { bellis, temporaryFolder } from '../support/command-line.ts'
import { until } from '../support/processes.ts'

/** Twelve blocks. One of them fails at its first attempt, and the last one waits until it is allowed to end. */
const MODULE = `
import { existsSync, writeFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { defineTask, roi, z } from 'bellis'
export default defineTask({
  name: 'count', config: z.object({}),
  plan: () => ({ totalRoi: roi([0], [12]), readRoi: roi([0], [1]), writeRoi: roi([0], [1]), readWriteConflict: false }),
  setup: () => async ({ index }) => {
    if (index === 3 && !existsSync('failed')) {
      writeFileSync('failed', '')
      throw new Error('once')
    }
    if (index === 11) while (!existsSync('go')) await setTimeout(10)
  },
})`

describe('bellis run --metrics', () => {
  it('--metrics serves the figures of the run while it is running, and nothing else', async () => {
    using folder = temporaryFolder()
    const { path: cwd } = folder
    writeFileSync(join(cwd, 'count.ts'), MODULE)
    let text = ''
    const statuses: number[] = []
    let address = ''
    const { code, stderr } = await bellis(['run', 'count.ts', '--workers', '1', '--metrics', '0'], {
      cwd,
      async meanwhile({ output }) {
        address = await until('it says where', () => /^Metrics: (\S+)$/m.exec(output.stderr)?.[1])
        let asking = false
        await until('eleven blocks are done', () => {
          if (!asking) {
            asking = true
            void fetch(address).then(async (response) => {
              text = await response.text()
              asking = false
            })
          }
          return text.includes('bellis_blocks{task="count",state="completed"} 11')
        })
        statuses.push((await fetch(address.replace('/metrics', '/'))).status)
        statuses.push((await fetch(address, { method: 'POST' })).status)
        writeFileSync(join(cwd, 'go'), '')
      },
    })
    assert.equal(code, 0, stderr)
    assert.match(address, /^http:\/\/127\.0\.0\.1:\d+\/metrics$/)
    assert.deepEqual(statuses, [404, 405])
    const values = new Map(
      text
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('#'))
        .map((line) => line.split(/ (?=[^ ]*$)/) as [string, string]),
    )
    const expected = {
      'bellis_blocks{task="count",state="processing"}': '1',
      'bellis_blocks{task="count",state="failed"}': '0',
      'bellis_block_seconds_count{task="count"}': '11',
      'bellis_failed_attempts_total{task="count"}': '1',
      bellis_workers: '1',
      bellis_busy_workers: '1',
      bellis_worker_deaths_total: '0',
    }
    for (const [name, value] of Object.entries(expected)) assert.equal(values.get(name), value, `${name}\n${text}`)
    await assert.rejects(fetch(address), 'it is served when the run is over')
  })

  it('--metrics refuses an address that cannot be used before anything is written', async () => {
    using folder = temporaryFolder()
    const { path: cwd } = folder
    writeFileSync(join(cwd, 'count.ts'), MODULE)
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    const { port } = taken.address() as AddressInfo
    const { code, stderr } = await bellis(['run', 'count.ts', '--metrics', `${port}`], { cwd })
    taken.close()
    assert.equal(code, 2)
    assert.match(stderr, new RegExp(`^bellis: Metrics can't be served at 127\\.0\\.0\\.1: port ${port} is in use`))
    assert.ok(!existsSync(join(cwd, '.bellis')))
    const wrong = await bellis(['run', 'count.ts', '--metrics', '70000'], { cwd })
    assert.equal(wrong.code, 2)
    assert.match(wrong.stderr, /a port, or an address and a port/)
  })
})
