import assert from 'node:assert/strict'
import { readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { bellis, type CommandResult, temporaryFolder } from '../support/command-line.ts'
import { until } from '../support/processes.ts'
import { logsIn, runsIn } from '../support/recorded-runs.ts'

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

/** Follows the log of a worker to its end; its blocks go on once the first one is shown. */
async function follow(cwd: string): Promise<CommandResult> {
  await until('it has a log', () => logsIn(cwd).includes('begins 0'))
  return await bellis(['logs', 'last', 'w1', '--follow'], {
    cwd,
    meanwhile: async ({ output }) => {
      await until('it shows the first block', () => output.stdout !== '')
      for (const index of [0, 1]) writeFileSync(join(cwd, `go-${index}`), '')
    },
  })
}

describe('bellis logs', () => {
  it('follows the log of a worker to the end of the run, and shows that of all later', async () => {
    using folder = temporaryFolder()
    const cwd = folder.path
    writeFileSync(join(cwd, 'talk.ts'), TASK)
    const going = bellis(['run', 'talk.ts', '--workers', '1'], {
      cwd,
      meanwhile: async () => {
        const { code, stdout, stderr } = await follow(cwd)
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

/** Prints 3 MB of numbered lines in each of two blocks. */
const TALKER = `import { defineTask, roi, z } from 'bellis'
export default defineTask({
  name: 'talk', config: z.object({}),
  plan: () => ({ totalRoi: roi([0], [2]), readRoi: roi([0], [1]), writeRoi: roi([0], [1]), readWriteConflict: false }),
  setup: () => async ({ index }) => {
    for (let line = 0; line < 30_000; line++) console.log(index + ' ' + String(line).padStart(98, '.'))
    console.log('the end of ' + index)
  },
})`

describe('the size of logs and of the history', () => {
  for (const pool of ['process', 'thread']) {
    it(`--max-log leaves out the first lines of a log, counted (--pool ${pool})`, async () => {
      using folder = temporaryFolder()
      const cwd = folder.path
      writeFileSync(join(cwd, 'talk.ts'), TALKER)
      const args = ['run', 'talk.ts', '--workers', '1', '--pool', pool, '--max-log', '1']
      const { code, stderr } = await bellis(args, { cwd })
      assert.equal(code, 0, stderr)
      const log = logsIn(cwd)
      assert.ok(log.length <= 2 ** 20, `${log.length} bytes`)
      const [, bytes, lines] =
        /^\[bellis\] The first (\d+) bytes \((\d+) lines\) were left out .*\n/.exec(log)?.map(Number) ?? []
      const kept = log.split('\n').slice(1)
      assert.equal(kept.pop(), '')
      assert.equal(Number(lines) + kept.length, 2 * 30_001)
      assert.equal(Number(bytes) + kept.join('\n').length + 1, 2 * (30_000 * 101 + 'the end of 0\n'.length))
      assert.ok(kept.includes('the end of 1'))
      const shown = await bellis(['logs', 'last', 'w1'], { cwd })
      assert.equal(shown.stdout, log)
    })
  }

  it('follows a log that is shortened meanwhile', async () => {
    using folder = temporaryFolder()
    const cwd = folder.path
    writeFileSync(join(cwd, 'talk.ts'), TALKER.replace('setup: () => async ({ index }) => {', WAITING))
    const going = bellis(['run', 'talk.ts', '--workers', '1', '--max-log', '1'], {
      cwd,
      meanwhile: async () => {
        const { code, stdout } = await follow(cwd)
        assert.equal(code, 0)
        const lines = stdout.split('\n')
        assert.equal(lines[0], 'begins 0')
        assert.ok(lines.includes('the end of 1'))
        const numbered = lines.filter((line) => /^[01] \.+/.test(line))
        assert.equal(new Set(numbered).size, numbered.length, 'no line is shown twice')
      },
    })
    assert.equal((await going).code, 0)
  })

  it('--max-history ends the history of a start, and leaves the run alone', async () => {
    using folder = temporaryFolder()
    const cwd = folder.path
    const message = `throw new Error(index + 'x'.repeat(2000))`
    writeFileSync(
      join(cwd, 'fail.ts'),
      TALKER.replace(/for [\s\S]*?\n {4}console.log\('the.*\n/, `${message}\n`).replace('[2]', '[1200]'),
    )
    const args = ['run', 'fail.ts', '--workers', '1', '--max-retries', '0', '--max-failures', '5000']
    const sizes = async (...more: string[]) => {
      const { code, stderr } = await bellis([...args, ...more], { cwd })
      assert.equal(code, 1, stderr)
      const history = join(cwd, '.bellis', runsIn(cwd)[0] ?? '', 'history')
      return readdirSync(history).map((name) => statSync(join(history, name)).size)
    }
    const [unlimited = 0] = await sizes()
    assert.ok(unlimited > 2 ** 20, `${unlimited} bytes`)
    // The first start had more than the half that is left to earlier ones.
    const limited = await sizes('--max-history', '1')
    assert.equal(limited.length, 1)
    assert.ok(Number(limited[0]) <= 2 ** 20 + 500, `${limited} bytes`)
  })

  it('refuses sizes that are none', async () => {
    using folder = temporaryFolder()
    writeFileSync(join(folder.path, 'talk.ts'), TALKER)
    for (const flag of ['--max-log', '--max-history']) {
      const { code, stderr } = await bellis(['run', 'talk.ts', flag, '0.5'], { cwd: folder.path })
      assert.equal(code, 2)
      assert.match(stderr, new RegExp(`${flag} 0.5: expected a number of MB from 1 to 1000000`))
    }
  })
})

const WAITING = `setup: () => async ({ index }) => {
    console.log('begins ' + index)
    const { existsSync } = await import('node:fs')
    while (!existsSync('go-' + index)) await new Promise((resolve) => setTimeout(resolve, 5))`
