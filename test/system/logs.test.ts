import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { bellis, temporaryFolder } from '../support/command-line.ts'
import { until } from '../support/processes.ts'
import { logsIn } from '../support/recorded-runs.ts'

/** Two blocks that say so and wait for a file. */
const TASK = `import { existsSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { defineTask, roi, z } from 'bellis'
export default defineTask({
  name: 'talk', config: z.object({}),
  plan: () => ({ totalRoi: roi([0], [2]), readRoi: roi([0], [1]), writeRoi: roi([0], [1]), readWriteConflict: false }),
  setup: () => async ({ index }) => {
    console.log('begins ' + index)
    while (!existsSync('go-' + index)) await wait(5)
  },
})`

describe('bellis logs', () => {
  it('follows the log of a worker to the end of the run, and shows that of all later', async () => {
    using folder = temporaryFolder()
    const cwd = folder.path
    writeFileSync(join(cwd, 'talk.ts'), TASK)
    const going = bellis(['run', 'talk.ts', '--workers', '1'], {
      cwd,
      meanwhile: async () => {
        await until('it has a log', () => logsIn(cwd).includes('begins 0'))
        const followed = bellis(['logs', 'last', 'w1', '--follow'], {
          cwd,
          meanwhile: async ({ output }) => {
            await until('it shows the first block', () => output.stdout !== '')
            for (const index of [0, 1]) writeFileSync(join(cwd, `go-${index}`), '')
          },
        })
        const { code, stdout, stderr } = await followed
        assert.equal(code, 0, stderr)
        assert.deepEqual(
          stdout.split('\n').filter((line) => line.startsWith('begins')),
          ['begins 0', 'begins 1'],
        )
      },
    })
    assert.equal((await going).code, 0)
    const all = await bellis(['logs', 'last', '--lines', '1'], { cwd })
    assert.match(all.stdout, /^w1 \| .+\n$/)
    const { logs } = JSON.parse((await bellis(['logs', 'last', 'w1', '--json'], { cwd })).stdout)
    assert.deepEqual([logs.length, logs[0].log], [1, 'w1.log'])
    const wrong = await bellis(['logs', 'last', 'w7'], { cwd })
    assert.equal(wrong.code, 2)
    assert.match(wrong.stderr, /w7: expected a worker of the run .* with a log; there are logs of w1\./)
  })
})
