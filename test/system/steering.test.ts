import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { bellis, type CommandResult, temporaryFolder } from '../support/command-line.ts'
import { childrenOf, stillRunning, until } from '../support/processes.ts'

/**
 * Blocks that each add a line to the file `ran`: index, process and thread. Those from the number in the file `gate` on wait.
 */
const GATED = `import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { threadId } from 'node:worker_threads'
import { defineTask, roi, z } from 'bellis'
const numberIn = (file) => (existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0)
export default defineTask({
  name: 'gated', config: z.object({ blocks: z.number().int() }),
  plan: ({ blocks }) => ({ totalRoi: roi([0], [blocks]), readRoi: roi([0], [1]), writeRoi: roi([0], [1]), readWriteConflict: false }),
  setup: () => async ({ index }) => {
    appendFileSync('begun', index + ' ' + process.pid + '.' + threadId + '\\n')
    do await wait(25)
    while (numberIn('gate') <= index)
    appendFileSync('ran', index + ' ' + process.pid + '.' + threadId + '\\n')
  },
})`

function prepare() {
  const folder = temporaryFolder()
  writeFileSync(join(folder.path, 'gated.ts'), GATED)
  const linesOf = (name: string) => {
    const file = join(folder.path, name)
    return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []
  }
  return {
    path: folder.path,
    begun: () => linesOf('begun'),
    ran: () => linesOf('ran'),
    open: (gate: number) => writeFileSync(join(folder.path, 'gate'), String(gate)),
    call: (...args: string[]): Promise<CommandResult> => bellis(args, { cwd: folder.path }),
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  }
}

/** Waits until the status shows something: a block's outcome is recorded a moment after its function has ended. */
async function statusOf(at: { call: (...args: string[]) => Promise<CommandResult> }, wanted: RegExp): Promise<void> {
  const deadline = performance.now() + 20_000
  for (;;) {
    const { stdout } = await at.call('status', 'last')
    if (wanted.test(stdout)) return
    assert.ok(performance.now() < deadline, `${wanted} is not shown, but: ${stdout}`)
  }
}

const run = (blocks: number, ...more: string[]) => ['run', 'gated.ts', '--blocks', String(blocks), ...more]

const workersOf = (lines: readonly string[]) => new Set(lines.map((text) => text.split(' ')[1]))

describe('bellis scale', () => {
  for (const pool of ['process', 'thread']) {
    it(`has one worker of kind ${pool}, then four, then one again do the blocks`, async () => {
      using at = prepare()
      at.open(2)
      const { code, stdout, stderr } = await bellis(run(12, '--workers', '1', '--pool', pool, '--json'), {
        cwd: at.path,
        meanwhile: async ({ pid }) => {
          await until('the third block waits', () => at.begun().length === 3)
          assert.equal(workersOf(at.begun()).size, 1)
          const up = await at.call('scale', 'last', '--workers', '4')
          assert.match(up.stdout, /^gated-\w{8}: 4 workers instead of 1\.\n$/)
          await until('four workers are busy', () => workersOf(at.begun().slice(2)).size === 4)
          const down = await at.call('scale', 'last', '--workers', '1')
          assert.match(down.stdout, /^gated-\w{8}: 1 worker instead of 4; the others leave when .*\.\n$/)
          assert.equal(at.ran().length, 2, 'their blocks are still running')
          at.open(6)
          await until('the last worker is alone', () => at.ran().length === 6 && at.begun().length === 7)
          if (pool === 'process') await until('the others have ended', () => childrenOf(pid).length === 1)
          at.open(12)
        },
      })
      assert.equal(code, 0, stderr)
      const [before, during, after] = [at.ran().slice(0, 2), at.ran().slice(2, 6), at.ran().slice(6)]
      assert.deepEqual([workersOf(before).size, workersOf(during).size, workersOf(after).size], [1, 4, 1])
      const { workers } = JSON.parse(stdout)
      const each: number[] = workers.each.map(({ blocks }: { blocks: number }) => blocks)
      assert.deepEqual(
        each.toSorted((a, b) => a - b),
        [1, 1, 1, 9],
      )
      assert.match(stderr, /4 workers instead of 1\n/)
    })
  }

  it('can give a run a range, in which it takes as many workers as there is work for', async () => {
    using at = prepare()
    const { code, stderr } = await bellis(run(12, '--workers', '1..3'), {
      cwd: at.path,
      meanwhile: async () => {
        await until('the first block waits', () => at.begun().length === 1)
        // Eleven blocks wait for the only worker.
        await until('three workers are busy', () => workersOf(at.begun()).size === 3)
        const { stdout } = await at.call('scale', 'last', '--workers', '1..2')
        assert.match(
          stdout,
          /2 workers instead of 3; the other leaves .*; their number follows the work, from 1 to 2\.\n$/,
        )
        at.open(12)
      },
    })
    assert.equal(code, 0, stderr)
    assert.equal(at.ran().length, 12)
    assert.match(stderr, /3 workers instead of 2, since blocks wait/)
  })

  it('is refused by a run that starts no workers', async () => {
    using at = prepare()
    await bellis(run(2, '--pool', 'none'), {
      cwd: at.path,
      meanwhile: async ({ output }) => {
        await until('the run waits for workers', () => output.stderr.includes('Waiting for workers'))
        const { code, stderr } = await at.call('scale', 'last', '--workers', '4')
        assert.equal(code, 2)
        assert.match(
          stderr,
          /^bellis: The run starts no workers itself \(--pool none\): add workers with bellis worker/,
        )
        await at.call('stop', 'last', '--now')
      },
    })
  })
})

/** A chain of two tasks. In the first, a block fails in the code itself, and the last one waits at the gate. Shorter blocks would be leased together. */
const WITH_BUG = `import { appendFileSync, existsSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { definePipeline, defineTask, roi, z } from 'bellis'
const plan = () => ({ totalRoi: roi([0], [6]), readRoi: roi([0], [1]), writeRoi: roi([0], [1]), readWriteConflict: false })
const config = z.object({})
export const first = defineTask({
  name: 'first', config, plan,
  setup: () => async ({ index }) => {
    await wait(60)
    if (index === 1) throw new Error('the bug')
    while (index === 5 && !existsSync('gate')) await wait(25)
    appendFileSync('ran', 'first/' + index + '\\n')
  },
})
export const second = defineTask({
  name: 'second', config, plan,
  setup: () => async ({ index }) => {
    await wait(60)
    appendFileSync('ran', 'second/' + index + '\\n')
  },
})
export default definePipeline({
  config,
  tasks: () => {
    const one = first({})
    return [one, second({}, { after: [one] })]
  },
})`

describe('bellis retry', () => {
  for (const pool of ['process', 'thread']) {
    it(`tries failed blocks again with the mended code, in a pool of kind ${pool}, while the last block is running`, async () => {
      using at = prepare()
      const file = join(at.path, 'chain.ts')
      writeFileSync(file, WITH_BUG)
      const args = ['run', 'chain.ts', '--workers', '2', '--max-retries', '0', '--pool', pool, '--json']
      const { code, stdout, stderr } = await bellis(args, {
        cwd: at.path,
        meanwhile: async () => {
          await until('only the last block is left', () => at.ran().length === 8)
          await statusOf(at, /first: 4 of 6 blocks \(66\.6 %\), 1 failed/)
          writeFileSync(file, WITH_BUG.replace("throw new Error('the bug')", 'await wait(1)'))
          const other = await at.call('retry', 'last', '--task', 'second')
          assert.match(other.stdout, /: no block of second has failed\.\n$/)
          const retried = await at.call('retry', 'last')
          assert.match(
            retried.stdout,
            /^first\+second-\w{8}: 1 block of first will be tried again, and 1 block is no longer orphaned\.\n$/,
          )
          await until('the block and what waited for it are done', () => at.ran().includes('second/1'))
          await statusOf(at, /first: 5 of 6 blocks \(83\.3 %\), 1 running/)
          writeFileSync(join(at.path, 'gate'), '')
        },
      })
      assert.equal(code, 0, stderr)
      assert.equal(at.ran().length, 12)
      assert.equal(new Set(at.ran()).size, 12)
      const { ok, tasks } = JSON.parse(stdout)
      assert.deepEqual([ok, tasks[0].failures.length], [true, 0])
      assert.match(stderr, /1 block of first will be tried again/)
    })
  }

  it('refuses a task that does not exist, and a run that is done', async () => {
    using at = prepare()
    const { code } = await bellis(run(3, '--workers', '1'), {
      cwd: at.path,
      meanwhile: async () => {
        await until('a block runs', () => at.begun().length === 1)
        const wrong = await at.call('retry', 'last', '--task', 'smooth')
        assert.deepEqual([wrong.code, wrong.stdout], [2, ''])
        assert.match(wrong.stderr, /^bellis: There is no task "smooth"; the tasks are "gated"\.\n$/)
        at.open(3)
      },
    })
    assert.equal(code, 0)
    for (const [command, text] of [
      [['retry', 'last'], 'so there is none to try again'],
      [['scale', 'last', '--workers', '2'], 'so it needs no workers'],
    ] as const) {
      const { code: ended, stderr } = await at.call(...command)
      assert.equal(ended, 2)
      assert.match(
        stderr,
        new RegExp(`^bellis: gated-\\w{8} is not running; all of its blocks are done, ${text}\\.\\n$`),
      )
    }
  })
})

describe('the page of a run', () => {
  it('changes its workers and stops it, if it was started with --dashboard-control', async () => {
    using at = prepare()
    const { code, stderr } = await bellis(run(6, '--workers', '1', '--dashboard-control', '--no-open'), {
      cwd: at.path,
      meanwhile: async ({ output }) => {
        const file = await until('the page is there', () => /its address is in (\S+),/.exec(output.stderr)?.[1])
        const { address } = JSON.parse(readFileSync(file, 'utf8'))
        await until('a block runs', () => at.begun().length === 1)
        const { origin, pathname } = new URL(address)
        const post = async (action: string, body: object) => {
          const headers = {
            Origin: origin,
            'X-Bellis-Token': pathname.slice(1, -1),
            'Content-Type': 'application/json',
          }
          const response = await fetch(`${address}control/${action}`, {
            method: 'POST',
            headers,
            body: JSON.stringify(body),
          })
          return response.json()
        }
        assert.deepEqual(await post('workers', { workers: 2 }), { text: '2 workers instead of 1.' })
        await until('two blocks run', () => at.begun().length === 2)
        assert.deepEqual(await post('stop', {}), { text: 'Stopping: running blocks may finish.' })
        at.open(6)
      },
    })
    assert.equal(code, 130, stderr)
    assert.equal(at.ran().length, 2)
  })
})

describe('bellis stop', () => {
  it('stops a run as Ctrl-C does: running blocks finish, and the same command continues', async () => {
    using at = prepare()
    let stopped: CommandResult | undefined
    const first = await bellis(run(6, '--workers', '2'), {
      cwd: at.path,
      meanwhile: async () => {
        await until('two blocks run', () => at.begun().length === 2)
        stopped = await at.call('stop', 'last', '--json')
        at.open(6)
      },
    })
    assert.equal(stopped?.code, 0, stopped?.stderr)
    const { run: name, type, now } = JSON.parse(stopped.stdout)
    assert.match(name, /^gated-\w{8}$/)
    assert.deepEqual([type, now], ['stopping', false])
    assert.equal(first.code, 130, first.stderr)
    assert.match(first.stderr, /Asked to stop: running blocks may finish; Ctrl-C stops at once/)
    assert.match(first.stderr, /To continue: bellis run gated\.ts --blocks 6 --workers 2\n/)
    assert.equal(at.ran().length, 2)
    const { code, stderr } = await at.call('retry', 'last')
    assert.equal(code, 2)
    assert.match(
      stderr,
      /^bellis: gated-\w{8} is not running; the same command tries its failed blocks again: bellis run gated\.ts --blocks 6 --workers 2\.\n$/,
    )
    const rest = await at.call(...run(6, '--workers', '2', '--json'))
    assert.equal(rest.code, 0, rest.stderr)
    assert.equal(at.ran().length, 6)
  })

  it('ends running blocks at once the second time, on threads, too, and keeps what is done', async () => {
    for (const pool of ['process', 'thread']) {
      using at = prepare()
      at.open(2)
      const { code, stdout, stderr } = await bellis(run(6, '--workers', '2', '--pool', pool, '--json'), {
        cwd: at.path,
        meanwhile: async ({ pid }) => {
          await until('two blocks wait', () => at.begun().length === 4 && at.ran().length === 2)
          const workers = childrenOf(pid)
          const one = await at.call('stop', 'gated')
          assert.match(one.stdout, /^gated-\w{8}: stopping: running blocks may finish\.\n$/)
          const two = await at.call('stop', 'gated')
          assert.match(two.stdout, /^gated-\w{8}: stopping at once: .*\.\n$/)
          await until('no worker is left', () => stillRunning(workers).length === 0)
        },
      })
      assert.equal(code, 130, stderr)
      const { stopped, tasks } = JSON.parse(stdout)
      assert.deepEqual([stopped, tasks[0].completed, tasks[0].failed], [true, 2, 0])
    }
  })

  it('says what to do about a run that is not running', async () => {
    using at = prepare()
    at.open(2)
    await at.call(...run(2, '--workers', '1', '--quiet'))
    const { code, stdout, stderr } = await at.call('stop', 'last')
    assert.deepEqual([code, stdout], [2, ''])
    assert.match(
      stderr,
      /^bellis: gated-\w{8} is not running; there is nothing to stop; bellis runs shows how each run ended\.\n$/,
    )
  })
})

/** A chain of two tasks without a bug; the last block of the first waits at the gate. */
const CHAIN = WITH_BUG.replace("if (index === 1) throw new Error('the bug')", '')

describe('bellis reset of a running run', () => {
  const countsOf = (lines: readonly string[]) => {
    const counts: Record<string, number> = {}
    for (const text of lines) counts[text] = (counts[text] ?? 0) + 1
    return counts
  }
  const blocksOf = (twice: readonly string[]) =>
    Object.fromEntries(
      ['first', 'second'].flatMap((task) =>
        [0, 1, 2, 3, 4, 5].map((index) => [`${task}/${index}`, twice.includes(`${task}/${index}`) ? 2 : 1]),
      ),
    )

  for (const pool of ['process', 'thread']) {
    it(`does the blocks of a region again, those that follow, and the one that is running, in a pool of kind ${pool}`, async () => {
      using at = prepare()
      writeFileSync(join(at.path, 'chain.ts'), CHAIN)
      const { code, stderr } = await bellis(['run', 'chain.ts', '--workers', '2', '--pool', pool], {
        cwd: at.path,
        meanwhile: async () => {
          await until('only the last block is left', () => at.ran().length === 10)
          const unsure = await at.call('reset', 'last', '--roi', '1:2')
          assert.match(unsure.stderr, /will forget blocks: 2 completed of first, 2 completed of second/)
          const { stdout } = await at.call('reset', 'last', '--roi', '1:2', '--yes')
          assert.match(stdout, /^first\+second-\w{8}: 2 blocks of first and 2 blocks of second will be done again\.\n$/)
          await until('they are done again', () => at.ran().length === 14)
          const running = await at.call('reset', 'last', '--roi', '5:1', '--yes', '--json')
          const { type, roi, tasks } = JSON.parse(running.stdout)
          assert.deepEqual([type, roi, tasks[0]?.running], ['reset', '5:1', 1])
          writeFileSync(join(at.path, 'gate'), '')
        },
      })
      assert.equal(code, 0, stderr)
      assert.deepEqual(countsOf(at.ran()), blocksOf(['first/1', 'first/2', 'first/5', 'second/1', 'second/2']))
      assert.match(stderr, /1 block of first will be done again; 1 is running and is interrupted/)
    })
  }

  it('is kept by a run that is killed as soon as it has answered', async () => {
    using at = prepare()
    writeFileSync(join(at.path, 'chain.ts'), CHAIN)
    const args = ['run', 'chain.ts', '--workers', '2']
    let workers: readonly number[] = []
    await bellis(args, {
      cwd: at.path,
      meanwhile: async ({ pid }) => {
        await until('only the last block is left', () => at.ran().length === 10)
        workers = childrenOf(pid)
        const { code, stderr } = await at.call('reset', 'last', '--roi', '3:1', '--yes')
        process.kill(pid, 'SIGKILL')
        assert.equal(code, 0, stderr)
      },
    })
    writeFileSync(join(at.path, 'gate'), '')
    await until('its workers have ended', () => stillRunning(workers).length === 0)
    const { code, stderr } = await at.call(...args)
    assert.equal(code, 0, stderr)
    const counts = countsOf(at.ran())
    for (const name of ['first/3', 'second/3']) assert.ok((counts[name] ?? 0) >= 2, `${name} is done again`)
    for (const name of ['first/0', 'second/4']) assert.equal(counts[name], 1, `${name} is not`)
  })
})
