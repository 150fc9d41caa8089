import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, it } from 'node:test'
import { parseContext } from '../../src/adapters/links/context.ts'
import { bellis } from '../support/command-line.ts'
import { countModule, EARLIER, earlierRuns } from '../support/earlier-runs.ts'
import { until } from '../support/processes.ts'
import { answerTo, HELLO } from '../support/raw-proof.ts'

/** Continues a run of version 0.1.0 with the command that started it. */
const again = (cwd: string, args: readonly string[], more: Partial<Parameters<typeof bellis>[1]> = {}) =>
  bellis(['run', countModule, ...args, '--workers', '1', '--json'], { cwd, ...more })

/** The blocks that ran in this folder, as `task index`. */
const ran = (cwd: string): string[] => readFileSync(join(cwd, 'ran'), 'utf8').trim().split('\n').sort()

describe('the commands on a run of version 0.1.0', () => {
  it('lists the runs of version 0.1.0 and shows their counts', async () => {
    using runs = earlierRuns()
    const json = async (...args: string[]) =>
      JSON.parse((await bellis([...args, '--json'], { cwd: runs.path })).stdout || 'null')
    const listed: { run: string; tasks: { completed: number }[] }[] = await json('runs')
    const completed = Object.fromEntries(listed.map(({ run, tasks }) => [run, tasks.map((task) => task.completed)]))
    assert.deepEqual(completed, { [EARLIER.done]: [12], [EARLIER.failed]: [5, 5], [EARLIER.interrupted]: [6] })
    const { tasks, failures } = await json('status', EARLIER.failed)
    assert.deepEqual([tasks[0].failed, tasks[1].left, failures[0].block, failures[0].attempts], [1, 1, 'first/3', 2])
  })

  it('has nothing left to do in a finished run of version 0.1.0', async () => {
    using runs = earlierRuns()
    const { code, stderr } = await again(runs.path, ['--task', 'count', '--blocks', '12'])
    assert.equal(code, 0, stderr)
    assert.throws(() => ran(runs.path), { code: 'ENOENT' })
  })

  it('runs the failed and orphaned blocks of a run of version 0.1.0, and no others', async () => {
    using runs = earlierRuns()
    const { code, stderr } = await again(runs.path, ['--task', 'chain', '--blocks', '6'])
    assert.equal(code, 0, stderr)
    assert.deepEqual(ran(runs.path), ['first 3', 'second 3'])
  })

  it('takes back a worker with the block that it held when its coordinator, of version 0.1.0, was killed', async () => {
    using runs = earlierRuns()
    const folder = runs.folderOf('interrupted')
    const [session] = JSON.parse(readFileSync(join(folder, 'sessions.json'), 'utf8')).sessions
    let welcome: { leases: { lease: number }[] } | undefined
    const { code, stderr } = await again(runs.path, ['--task', 'count', '--blocks', '16'], {
      async meanwhile() {
        const context = await until('the run has a context', () => {
          try {
            return parseContext(readFileSync(join(folder, 'context'), 'utf8'))
          } catch {
            return undefined
          }
        })
        const socket = connect(context.port, context.host)
        await once(socket, 'connect')
        const say = (message: object) => socket.write(`${JSON.stringify(message)}\n`)
        // The message of a worker of version 0.1.0 that reconnects.
        const lines = createInterface({ input: socket })[Symbol.asyncIterator]()
        say(HELLO)
        say(answerTo((await lines.next()).value as string, context.token))
        say({
          type: 'join',
          protocol: 2,
          worker: 'w2',
          session: session.key,
          leases: [8],
          pid: 4711,
          host: 'volume',
        })
        say({ type: 'outcomes', lease: 8, outcomes: [{ status: 'done', ms: 20 }] })
        say({ type: 'goodbye' })
        for await (const line of lines) {
          const message = JSON.parse(line)
          if (message.type === 'welcome') welcome = message
        }
      },
    })
    assert.equal(code, 0, stderr)
    assert.deepEqual(
      welcome?.leases.map(({ lease }) => lease),
      [8],
    )
    const others = [10, 11, 12, 13, 14, 15, 6, 8, 9].map((index) => `count ${index}`)
    assert.deepEqual(ran(runs.path), others)
  })
})
