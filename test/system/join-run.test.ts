import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createBlockGrid, type Invitation, type RunEvent, type RunOptions, roi, startRun } from 'bellis'
import { parseContext, showContext } from '../../src/adapters/links/context.ts'
import { type CommandOptions, runNode, temporaryFolder } from '../support/command-line.ts'
import { cuttingProxy } from '../support/cutting-proxy.ts'
import { endedRun } from '../support/ended-runs.ts'
import { stillRunning, until } from '../support/processes.ts'
import joined from '../support/tasks/joined.ts'

const program = fileURLToPath(new URL('../support/tasks/join.mjs', import.meta.url))

/** A run whose blocks are done by programs that a test starts, or that the run's own workers start. */
function startJoined(folder: string, config: { blocks: number; how?: string }, options: RunOptions = {}) {
  const events: RunEvent[] = []
  const { promise: invited, resolve } = Promise.withResolvers<Invitation>()
  const started = startRun(joined({ folder, how: '', ...config }), {
    pool: 'none',
    maxRetries: 0,
    runDir: join(folder, '.bellis'),
    onListening: resolve,
    onEvent: (event) => events.push(event),
    ...options,
  })
  const run = endedRun(started)
  const of = <Type extends RunEvent['type']>(type: Type) =>
    events.filter((event): event is Extract<RunEvent, { type: Type }> => event.type === type)
  return { run, invited, of, done: () => of('blocks-done').flatMap(({ indices }) => indices) }
}

const joinWith = (context: string, cwd: string, more: Partial<CommandOptions> = {}) =>
  runNode([program], { cwd, env: { BELLIS_CONTEXT: context }, ...more })

const ran = (folder: string): { index: number; pid: number; readRoi: unknown; writeRoi: unknown }[] => {
  const file = join(folder, 'ran')
  return existsSync(file)
    ? readFileSync(file, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
    : []
}
const all = (blocks: number) => Array.from({ length: blocks }, (_, index) => index)
const sorted = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b)

describe('joinRun', () => {
  it('joinRun yields the blocks of a run, with their Rois and the configuration, until the run is over', async () => {
    using folder = temporaryFolder()
    const { run, invited } = startJoined(folder.path, { blocks: 60 })
    const { context } = await invited
    const programs = [joinWith(context, folder.path), joinWith(context, folder.path)]
    assert.ok((await run.result).ok)
    for (const { code, stderr } of await Promise.all(programs)) {
      assert.equal(code, 0, stderr)
      assert.match(stderr, /^did \d+\n$/)
    }
    const grid = createBlockGrid({
      totalRoi: roi([0], [600]),
      readRoi: roi([0], [10]),
      writeRoi: roi([2], [6]),
      fit: 'shrink',
    })
    const blocks = ran(folder.path).toSorted((a, b) => a.index - b.index)
    assert.equal(blocks.length, grid.blockCount)
    for (const { pid, ...block } of blocks) {
      assert.ok(pid > 0)
      assert.deepEqual(block, { ...grid.block(block.index), taskId: 'joined', unit: 'nm' })
    }
  })

  for (const how of ['break', 'throw']) {
    it(`joinRun returns a block when its loop is left by ${how}, without counting an attempt; another program does it`, async () => {
      using folder = temporaryFolder()
      const { run, invited, of, done } = startJoined(folder.path, { blocks: 30, how })
      const { context } = await invited
      const { code, stderr } = await joinWith(context, folder.path)
      if (how === 'break') assert.deepEqual([code, stderr], [0, 'did 3\n'])
      else assert.deepEqual([code, stderr], [3, 'Error: out of neurons\n'])
      assert.equal((await joinWith(context, folder.path)).code, 0)
      assert.ok((await run.result).ok)
      assert.deepEqual([of('worker-died'), of('block-retried')], [[], []])
      assert.equal(sorted(done()).join(), all(done().length).join())
      assert.equal(ran(folder.path).length, done().length)
    })
  }

  it('joinRun reports a block that the program failed, with the reason, and continues', async () => {
    using folder = temporaryFolder()
    const { run, invited, of } = startJoined(folder.path, { blocks: 30, how: 'fail' }, { maxRetries: 1 })
    const { code, stderr } = await joinWith((await invited).context, folder.path)
    assert.equal(code, 0, stderr)
    assert.ok((await run.result).ok)
    assert.deepEqual(
      of('block-retried').map(({ index, error }) => [index, error.code, error.message]),
      [[3, 'BLOCK_FAILED', 'no such neuron']],
    )
  })

  it('joinRun leaves on Ctrl-C after the current block, which counts', async () => {
    using folder = temporaryFolder()
    const { run, invited, of, done } = startJoined(folder.path, { blocks: 30, how: 'wait' })
    const { context } = await invited
    const meanwhile = async ({ pid }: { pid: number }) => {
      await until('the block has started', () => existsSync(join(folder.path, 'begun')))
      process.kill(pid, 'SIGINT')
      await until('it has heard it', () => existsSync(join(folder.path, 'heard')))
      writeFileSync(join(folder.path, 'go'), '')
    }
    const { code, stderr } = await joinWith(context, folder.path, { meanwhile })
    assert.deepEqual([code, stderr], [0, 'did 4\n'])
    assert.ok(done().includes(3))
    assert.equal((await joinWith(context, folder.path)).code, 0)
    assert.ok((await run.result).ok)
    assert.deepEqual([of('worker-died'), of('block-retried')], [[], []])
  })

  it('joinRun reconnects when its connection breaks, and loses nothing', async () => {
    using folder = temporaryFolder()
    const { run, invited, of } = startJoined(folder.path, { blocks: 400 })
    const direct = parseContext((await invited).context)
    await using proxy = await cuttingProxy(direct.port, { cuts: 5 })
    const through = showContext({ ...direct, port: proxy.port })
    const { code, stderr } = await joinWith(through, folder.path)
    assert.equal(code, 0, stderr)
    assert.ok((await run.result).ok)
    assert.ok(proxy.cuts >= 5, `${proxy.cuts} cuts`)
    assert.deepEqual([of('worker-died').length, of('worker-started').length], [0, 1])
    assert.equal(new Set(ran(folder.path).map(({ index }) => index)).size, ran(folder.path).length)
  })

  it('joinRun throws if it is refused or finds no run', async () => {
    using folder = temporaryFolder()
    const { invited } = startJoined(folder.path, { blocks: 4 })
    const { port } = parseContext((await invited).context)
    const wrong = showContext({ host: '127.0.0.1', port, token: '0'.repeat(32) })
    const refused = await joinWith(wrong, folder.path)
    assert.deepEqual([refused.code, refused.stderr.startsWith('UNAUTHORIZED: ')], [3, true], refused.stderr)
    const lost = await joinWith('', folder.path)
    assert.deepEqual([lost.code, lost.stderr.startsWith('INVALID_CONFIG: ')], [3, true], lost.stderr)
  })
})

describe('joinRun in a program that a worker has started', () => {
  for (const [how, reason] of [
    ['', undefined],
    ['fail', /^no such neuron$/],
    ['throw', /returned block joined\/3 without doing it/],
    ['die', /killed by SIGKILL/],
  ] as const) {
    it(`a program started by a worker does its blocks over standard input and output${how === '' ? '' : `, and a block that ends unexpectedly (${how}) is tried again`}`, async () => {
      using folder = temporaryFolder()
      const options = { pool: 'process', workers: 1, maxRetries: 1 } as const
      const { run, of } = startJoined(folder.path, { blocks: 12, how }, options)
      const { ok, tasks } = await run.result
      assert.ok(ok, JSON.stringify(tasks[0]?.failures))
      const grid = tasks[0]?.total as number
      assert.equal(sorted(ran(folder.path).map(({ index }) => index)).join(), all(grid).join())
      const retried = of('block-retried')
      assert.deepEqual(
        retried.map(({ index }) => index),
        reason === undefined ? [] : [3],
      )
      if (reason !== undefined) assert.match(retried[0]?.error.message ?? '', reason)
    })
  }

  it('a program started by a worker reports its memory, even if its worker shares a process with others', async () => {
    using folder = temporaryFolder()
    const { run } = startJoined(folder.path, { blocks: 4 }, { pool: 'thread', workers: 1 })
    const { ok, workers } = await run.result
    assert.ok(ok)
    assert.ok(workers.peakMemory > 10e6, `${workers.peakMemory}`)
  })

  for (const how of ['hang', 'suspend']) {
    // Only Linux can end a program that is suspended.
    const skip = how === 'suspend' && process.platform !== 'linux'
    it(`a program started by a worker ends with that worker, whatever it is doing (${how})`, { skip }, async () => {
      using folder = temporaryFolder()
      const options = { pool: 'process', workers: 1, maxRetries: 1, timeoutMs: 1000 } as const
      const { run, of } = startJoined(folder.path, { blocks: 12, how }, options)
      assert.ok((await run.result).ok)
      assert.equal(of('worker-died').length, 1)
      const pid = Number(readFileSync(join(folder.path, 'begun'), 'utf8'))
      await until('it is gone', () => stillRunning([pid]).length === 0, 20_000)
    })
  }
})
