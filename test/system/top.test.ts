import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { bellis, temporaryFolder } from '../support/command-line.ts'
import { until } from '../support/processes.ts'
import { onTerminal } from '../support/terminal.ts'

/** Blocks that wait for a file. */
const GATED = `import { appendFileSync, existsSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { defineTask, roi, z } from 'bellis'
export default defineTask({
  name: 'gated', config: z.object({}),
  plan: () => ({ totalRoi: roi([0], [6]), readRoi: roi([0], [1]), writeRoi: roi([0], [1]), readWriteConflict: false }),
  setup: () => async ({ index }) => {
    appendFileSync('begun', index + '\\n')
    while (!existsSync('gate')) await wait(25)
  },
})`

const ENTERED = '\u001b[?1049h\u001b[?25l'
const LEFT = '\u001b[?25h\u001b[?1049l'

/** Runs the blocks, and does something as soon as the first one waits. @returns how the run ended */
async function whileRunning(cwd: string, meanwhile: () => Promise<void>) {
  writeFileSync(join(cwd, 'gated.ts'), GATED)
  return await bellis(['run', 'gated.ts', '--workers', '1', '--json'], {
    cwd,
    meanwhile: async () => {
      await until('the first block waits', () => existsSync(join(cwd, 'begun')))
      await meanwhile()
      writeFileSync(join(cwd, 'gate'), '')
    },
  })
}

/** The process of `bellis top` that was started in a folder. */
const topIn = (folder: string): number =>
  Number(
    readdirSync('/proc').find((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
        return words[2] === 'top' && readlinkSync(`/proc/${pid}/cwd`) === folder
      } catch {
        return false
      }
    }),
  )

describe('bellis top', () => {
  it('shows a run on a terminal of 60 columns without colours, steers it by keys, and restores the terminal', async (t) => {
    using folder = temporaryFolder()
    let shown: Awaited<ReturnType<typeof onTerminal>>
    const { code, stdout } = await whileRunning(folder.path, async () => {
      shown = await onTerminal(t, ['top', 'last'], folder.path, {
        columns: 60,
        env: { NO_COLOR: '1' },
        typed: [
          { after: /Workers: 1 busy/, text: 'w2\r' },
          { after: /gated\/\d for [\s\S]*gated\/\d for/, text: 'r' },
          { after: /no block has failed/, text: 's' },
          { after: /Stop the run\?/, text: 'y' },
          { after: /stopping: running blocks may finish/, text: 'q' },
        ],
      })
    })
    if (shown === undefined) return
    assert.equal(shown.code, 0, shown.drawn)
    assert.ok(shown.drawn.includes(ENTERED))
    assert.ok(shown.drawn.trimEnd().endsWith(LEFT), JSON.stringify(shown.drawn.slice(-80)))
    assert.match(shown.drawn, /2 workers instead of 1/)
    for (const style of ['1m', '32m', '33m', '90m']) assert.equal(shown.drawn.includes(`\u001b[${style}`), false, style)
    assert.equal(code, 130)
    assert.equal(JSON.parse(stdout).stopped, true)
  })

  it('restores the terminal when it is ended by a signal, and the run goes on', {
    skip: process.platform !== 'linux',
  }, async (t) => {
    using folder = temporaryFolder()
    let shown: Awaited<ReturnType<typeof onTerminal>>
    const { code } = await whileRunning(folder.path, async () => {
      shown = await onTerminal(t, ['top', 'last'], folder.path, {
        columns: 80,
        typed: [
          {
            after: /Workers: 1 busy/,
            get text() {
              process.kill(topIn(folder.path), 'SIGTERM')
              return ''
            },
          },
        ],
      })
    })
    if (shown === undefined) return
    assert.equal(shown.code, 143)
    assert.ok(shown.drawn.includes(ENTERED))
    assert.ok(shown.drawn.trimEnd().endsWith(LEFT))
    assert.equal(code, 0)
  })

  it('is refused where there is no terminal', async () => {
    using folder = temporaryFolder()
    await whileRunning(folder.path, async () => {
      const { code, stderr } = await bellis(['top', 'last'], { cwd: folder.path })
      assert.deepEqual([code, /expected a terminal; elsewhere, use bellis status RUN --watch/.test(stderr)], [2, true])
    })
  })
})
