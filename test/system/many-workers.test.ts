import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type Invitation, type RunEvent, startRun } from 'bellis'
import { smooth } from 'bellis/tasks'
import { parseContext, type RunContext, showContext } from '../../src/adapters/links/context.ts'
import { MAX_LINE_BYTES, MAX_UNPROVED_BYTES } from '../../src/core/protocol/messages.ts'
import { runNetworkWorker } from '../../src/entry/workers/network-worker.ts'
import {
  bellis,
  hashVoxels,
  program,
  type RunningCommand,
  runProgram,
  temporaryFolder,
} from '../support/command-line.ts'
import { all, ran, sorted, startCount } from '../support/count-run.ts'
import { endedRun } from '../support/ended-runs.ts'
import { until } from '../support/processes.ts'
import { answerTo, HELLO } from '../support/raw-proof.ts'
import { SMOOTHED, sampleForAll } from '../support/smoothed-sample.ts'

const raw = sampleForAll()

describe('five hundred workers', () => {
  it('five hundred workers that connect at once, over TLS, all join, and every block is done once', async () => {
    using folder = temporaryFolder()
    const blocks = 20_000
    const { run, invited, of, done } = startCount(folder.path, { blocks }, { pool: 'none', host: '0.0.0.0' })
    const readContext = () => ({ ...parseContext(context), host: '127.0.0.1' })
    const { context } = await invited
    const did: number[] = []
    // No worker does a block before all have joined, which takes some time.
    const allIn = Promise.withResolvers<void>()
    const loadTask = async () => ({
      process: async ({ index }: { index: number }) => {
        await allIn.promise
        did.push(index)
      },
    })
    const workers = Array.from({ length: 500 }, () => runNetworkWorker({ readContext, loadTask }))
    await until('all are in', () => of('worker-started').length === 500)
    allIn.resolve()
    const result = await run.result
    assert.ok(result.ok)
    const ends = await Promise.all(workers)
    assert.equal(
      ends.reduce((sum, end) => sum + end.blocks, 0),
      blocks,
    )
    assert.equal(sorted(did).join(), all(blocks).join())
    assert.equal(sorted(done()).join(), all(blocks).join())
    assert.deepEqual([of('worker-died').length, of('block-retried').length], [0, 0])
  })
})

describe('joined workers', () => {
  it('joined workers that are killed throughout a run, finally all at once, cost at most attempts: the result is correct', async () => {
    using folder = temporaryFolder()
    const output = join(folder.path, 'out.zarr/s')
    const events: RunEvent[] = []
    const { promise: invited, resolve: onListening } = Promise.withResolvers<Invitation>()
    const started = startRun(smooth({ input: raw, output, sigma: 2, blockWrite: [4, 16, 16] }), {
      pool: 'none',
      maxRetries: 50,
      reconnectMs: 200,
      runDir: join(folder.path, '.bellis'),
      onListening,
      onEvent: (event) => events.push(event),
    })
    const run = endedRun(started)
    const { context } = await invited
    const completed = () =>
      events.reduce((sum, event) => sum + (event.type === 'blocks-done' ? event.indices.length : 0), 0)
    const running: RunningCommand[] = []
    const workers: Promise<{ code: unknown }>[] = []
    const start = () => {
      const meanwhile = (child: RunningCommand) => void running.push(child)
      workers.push(bellis(['worker'], { cwd: folder.path, env: { BELLIS_CONTEXT: context }, meanwhile }))
    }
    let killed = 0
    const killOne = (at: number) => {
      const [worker] = running.splice(at, 1)
      process.kill(worker?.pid as number, 'SIGKILL')
      killed++
    }
    for (let count = 0; count < 3; count++) start()
    // Another worker each time, in a pseudo-random order.
    for (const which of [1, 0, 2, 1, 2]) {
      const before = completed()
      await until('further blocks are done', () => completed() >= before + 100)
      killOne(which)
      start()
    }
    await until('further blocks are done', () => completed() >= 700)
    while (running.length > 0) killOne(0)
    assert.ok(completed() < 1152, 'the run was over before all were killed')
    start()
    start()
    // One of them might finish before the other has started.
    const here = () =>
      running.filter(({ pid }) => events.some((event) => event.type === 'worker-started' && event.pid === pid))
    const { pid: early } = await until('one has come', () => here()[0])
    process.kill(early, 'SIGSTOP')
    await until('both have come', () => here().length === 2)
    process.kill(early, 'SIGCONT')
    const result = await run.result
    assert.ok(result.ok, JSON.stringify(result.tasks[0]?.failures))
    const codes = (await Promise.all(workers)).map(({ code }) => code)
    assert.deepEqual([codes.filter((code) => code === 'SIGKILL').length, codes.slice(-2)], [killed, [0, 0]])
    assert.equal(await hashVoxels(output), SMOOTHED)
    assert.equal(completed(), 1152)
  })
})

/** A stranger. @returns what it received until its connection was closed, or until it received a message of some type */
class Stranger {
  readonly socket: Socket
  readonly closed: Promise<void>
  received = ''

  constructor({ host, port }: RunContext) {
    this.socket = connect({ host, port })
    this.socket.setEncoding('utf8').on('data', (text: string) => {
      this.received += text
    })
    this.socket.on('error', () => {})
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()))
  }

  say(...messages: unknown[]): this {
    for (const message of messages) this.socket.write(`${JSON.stringify(message)}\n`)
    return this
  }

  /** Goes through the handshake, as one who knows this token. */
  async proves(token: string): Promise<this> {
    await this.say(HELLO).hears('"type":"challenge"')
    await this.hears('\n')
    return this.say(answerTo(this.received.split('\n')[0] as string, token))
  }

  async hears(text: string): Promise<this> {
    await until(`a stranger hears ${text}: ${this.received}`, () => this.received.includes(text))
    return this
  }

  async isSentAway(code: string): Promise<void> {
    await this.hears(`"code":"${code}"`)
    await until('a stranger is cut off', () => this.socket.destroyed)
  }
}

describe('strangers and broken workers', () => {
  it('strangers are refused and broken workers lose their leases at the time limit; the run continues', async () => {
    using folder = temporaryFolder()
    const blocks = 300
    const options = { pool: 'none', timeoutMs: 6000, reconnectMs: 100, maxRetries: 1, stopGraceMs: 500 } as const
    const { run, invited, of, done } = startCount(folder.path, { blocks, ms: 5 }, options)
    const { context } = await invited
    const way = parseContext(context)
    const join = { type: 'join', protocol: 2, pid: 1, host: 'elsewhere' }

    const stranger = () => new Stranger(way)
    await (await stranger().proves('0'.repeat(32))).isSentAway('UNAUTHORIZED')
    await stranger()
      .say({ ...HELLO, protocol: 3 })
      .isSentAway('PROTOCOL_ERROR')
    // As a worker of version 0.1.0 starts: what it shows is not repeated to it.
    const old = stranger().say({ type: 'hello', protocol: 1, token: way.token, pid: 1, host: 'old' })
    await old.isSentAway('PROTOCOL_ERROR')
    assert.match(old.received, /version 1; this run speaks version 2/)
    assert.ok(!old.received.includes(way.token))
    await stranger().say(join).isSentAway('PROTOCOL_ERROR')
    await stranger().say('garbage').isSentAway('PROTOCOL_ERROR')
    const binary = stranger()
    binary.socket.write(Buffer.from([0, 1, 2, 0xff, 0xfe, 10]))
    await binary.isSentAway('PROTOCOL_ERROR')
    const long = stranger()
    for (let sent = 0; sent <= MAX_UNPROVED_BYTES; sent += 65_536) long.socket.write('x'.repeat(65_536))
    await long.isSentAway('PROTOCOL_ERROR')
    const silent = stranger()

    // These are accepted, get a block each, and then misbehave.
    const holders = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const holder = await stranger().proves(way.token)
        return await holder.say(join, { type: 'task-ready', taskId: 'count' }).hears('"type":"lease"')
      }),
    )
    const [babbling, lying, endless, halfOpen] = holders as [Stranger, Stranger, Stranger, Stranger]
    babbling.socket.write('{"type":"outcomes","lease":')
    babbling.socket.write('\n')
    lying.say({ type: 'outcomes', lease: Number.MAX_SAFE_INTEGER, outcomes: [{ status: 'done', ms: 1 }] })
    for (let sent = 0; sent <= MAX_LINE_BYTES; sent += 65_536) endless.socket.write('x'.repeat(65_536))
    await Promise.all([babbling, lying, endless].map((each) => each.isSentAway('PROTOCOL_ERROR')))

    const worker = bellis(['worker'], { cwd: folder.path, env: { BELLIS_CONTEXT: context } })
    await halfOpen.hears('"type":"revoked"')
    assert.deepEqual(
      of('block-retried')
        .map(({ error }) => error.code)
        .sort(),
      ['BLOCK_TIMEOUT', 'PROTOCOL_ERROR', 'WORKER_DIED', 'WORKER_DIED'],
    )
    const result = await run.result
    assert.ok(result.ok, JSON.stringify(result.tasks[0]?.failures))
    assert.equal((await worker).code, 0)
    assert.equal(sorted(ran(folder.path)).join(), all(blocks).join())
    assert.equal(sorted(done()).join(), all(blocks).join())
    await Promise.all([silent, ...holders].map(({ closed }) => closed))
  })
})

const OUTSIDE = '10.213.77.1'
const INSIDE = '10.213.77.2'

interface Elsewhere extends Disposable {
  /** The name of the network interface on this side. */
  readonly link: string
  /** Runs a worker there. */
  work(context: RunContext, cwd: string, meanwhile?: (child: RunningCommand) => void): ReturnType<typeof runProgram>
}

const ip = (...args: string[]) => {
  const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`)
}

/** A separate network on this machine, connected to it by one wire. Skips the test if that is not permitted; CI must permit it. */
function elsewhereOrSkip(t: TestContext): Elsewhere | undefined {
  const space = `bellis-${process.pid}`
  const link = `b${process.pid}a`
  const far = `b${process.pid}b`
  try {
    ip('netns', 'add', space)
  } catch (error) {
    if (process.env.CI) throw error
    t.skip('no right to make a network namespace')
    return undefined
  }
  ip('link', 'add', link, 'type', 'veth', 'peer', 'name', far, 'netns', space)
  ip('addr', 'add', `${OUTSIDE}/30`, 'dev', link)
  ip('link', 'set', link, 'up')
  ip('-n', space, 'addr', 'add', `${INSIDE}/30`, 'dev', far)
  ip('-n', space, 'link', 'set', far, 'up')
  return {
    link,
    work: (context, cwd, meanwhile = () => {}) => {
      const env = { BELLIS_CONTEXT: showContext({ ...context, host: OUTSIDE }) }
      return runProgram('ip', ['netns', 'exec', space, process.execPath, program, 'worker'], { cwd, env, meanwhile })
    },
    [Symbol.dispose]: () => {
      // Otherwise the wire would be removed only when the last process in the network has ended.
      ip('link', 'del', link)
      ip('netns', 'del', space)
    },
  }
}

describe('a worker in another network', () => {
  it('a worker in another network continues after a network outage, and nothing is lost or done twice', async (t) => {
    using elsewhere = elsewhereOrSkip(t)
    if (elsewhere === undefined) return
    using folder = temporaryFolder()
    const blocks = 300
    const options = { pool: 'none', host: '0.0.0.0', reconnectMs: 120_000 } as const
    const { run, invited, of, done } = startCount(folder.path, { blocks, ms: 5 }, options)
    const worker = elsewhere.work(parseContext((await invited).context), folder.path)
    await until('blocks are done', () => done().length > 30)
    ip('link', 'set', elsewhere.link, 'down')
    await delay(1500)
    const before = done().length
    assert.ok(before < blocks, 'the run was over before the wire was cut')
    ip('link', 'set', elsewhere.link, 'up')
    assert.ok((await run.result).ok)
    const { code, stderr } = await worker
    assert.equal(code, 0, stderr)
    assert.equal(sorted(done()).join(), all(blocks).join())
    assert.equal(sorted(ran(folder.path)).join(), all(blocks).join())
    assert.deepEqual([of('worker-died').length, of('block-retried').length], [0, 0])
  })

  it('a worker that vanishes with a block loses it at the time limit, even though its end is never seen', async (t) => {
    using elsewhere = elsewhereOrSkip(t)
    if (elsewhere === undefined) return
    using folder = temporaryFolder()
    const options = { pool: 'none', host: '0.0.0.0', timeoutMs: 4000, stopGraceMs: 500 } as const
    const { run, invited, of, done } = startCount(folder.path, { blocks: 20, ms: 20, waits: 7 }, options)
    const context = parseContext((await invited).context)
    let pid = 0
    const vanished = elsewhere.work(context, folder.path, (child) => {
      pid = child.pid
    })
    await until('the block has started', () => existsSync(join(folder.path, 'begun')))
    ip('link', 'set', elsewhere.link, 'down')
    await until('its time is up', () => of('block-retried').length > 0)
    assert.equal(of('block-retried')[0]?.error.code, 'BLOCK_TIMEOUT')
    writeFileSync(join(folder.path, 'go'), '')
    const env = { BELLIS_CONTEXT: showContext({ ...context, host: '127.0.0.1' }) }
    const other = bellis(['worker'], { cwd: folder.path, env })
    assert.ok((await run.result).ok)
    assert.equal((await other).code, 0)
    assert.equal(sorted(done()).join(), all(20).join())
    process.kill(pid, 'SIGKILL')
    await vanished
  })
})
