import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import { joinRun } from 'bellis/worker'
import { program, temporaryFolder } from '../support/command-line.ts'

type Message = Readonly<Record<string, never>> & { readonly type: string }

/** `bellis engine`, as a program in another language uses it. */
class Engine implements AsyncDisposable {
  readonly child: ChildProcess
  readonly #lines: AsyncIterator<string>
  readonly #ended: Promise<unknown>

  /** @param stderr where its errors go */
  constructor(stderr: 'inherit' | 'pipe' = 'inherit', env: NodeJS.ProcessEnv = {}) {
    const stdio = ['pipe', 'pipe', stderr] as const
    this.child = spawn(process.execPath, [program, 'engine'], { stdio: [...stdio], env: { ...process.env, ...env } })
    this.#ended = once(this.child, 'exit')
    this.#lines = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]()
  }

  send(message: object): void {
    this.child.stdin?.write(`${JSON.stringify(message)}\n`)
  }

  /** The next message of that type. */
  async next(type: string): Promise<Message> {
    for (;;) {
      const { value, done } = await this.#lines.next()
      assert.ok(!done, `the engine ended before it sent "${type}"`)
      const message = JSON.parse(value)
      if (message.type === type) return message
      assert.notEqual(message.type, 'error', value)
    }
  }

  /** @returns its exit code */
  async end(): Promise<number | null> {
    this.child.stdin?.end()
    await this.#ended
    return this.child.exitCode
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGKILL')
    await this.#ended
  }
}

const box = (offset: number, length: number) => ({ offset: [offset], shape: [length] })
const task = (id: string, blocks: number, more: object = {}) => ({
  id,
  totalRoi: box(0, 10 * blocks),
  readRoi: box(0, 10),
  writeRoi: box(0, 10),
  readWriteConflict: false,
  ...more,
})
const request = (directory: string, tasks: object[], more: object = {}) => ({
  type: 'run',
  directory,
  pool: 'none',
  workers: 1,
  tasks,
  ...more,
})

describe('the engine for other programs', () => {
  it('does one run after the other, with workers that the parent names', async () => {
    using folder = temporaryFolder()
    await using engine = new Engine()
    for (const id of ['first', 'second']) {
      engine.send(request(folder.path, [task(id, 5)], { events: ['run-started'] }))
      const { context } = await engine.next('listening')
      const done = []
      for await (const block of joinRun(context)) done.push(`${block.taskId}/${block.index}`)
      assert.deepEqual(
        done.sort(),
        [0, 1, 2, 3, 4].map((index) => `${id}/${index}`),
      )
      const { result } = (await engine.next('result')) as unknown as { result: { ok: boolean } }
      assert.equal(result.ok, true)
    }
    assert.equal(await engine.end(), 0)
  })

  for (const [line, shown] of [
    ['hello \u001b[31m', '"hello \\\\u001b\\[31m"'],
    ['null', '"null"'],
    ['[1]', '"\\[1\\]"'],
    ['x'.repeat(100_000), '"x{80}…"'],
  ] as const) {
    it(`says in one line that ${line.slice(0, 8)} is no message, and ends`, async () => {
      await using engine = new Engine('pipe')
      const printed = text(engine.child.stderr as Readable)
      const sent = text(engine.child.stdout as Readable)
      engine.child.stdin?.write(`${line}\n`)
      const message = new RegExp(
        `^bellis: The engine got ${shown} on its standard input: expected one JSON object .*\\n$`,
      )
      assert.match(await printed, message)
      assert.equal(JSON.parse(await sent).error.code, 'INVALID_CONFIG')
      assert.equal(await engine.end(), 2)
    })
  }

  it('says which type of message it does not know, and ends: the parent would wait for ever', async () => {
    await using engine = new Engine('pipe')
    const printed = text(engine.child.stderr as Readable)
    engine.send({ type: 'rnu', tasks: [] })
    assert.match(
      await printed,
      /^bellis: The engine was sent a message of the type "rnu": expected "run" or "schedule"\.\n$/,
    )
    assert.equal(await engine.end(), 2)
  })

  it('takes a line for one message whatever ends lines elsewhere, in pieces, and without a line feed at its end', async () => {
    await using engine = new Engine()
    const sent = text(engine.child.stdout as Readable)
    const id = 'a\u2028b\u2029c\u0085d'
    const bytes = Buffer.from(JSON.stringify({ type: 'schedule', tasks: [task(id, 2)] }))
    assert.ok(bytes.includes('\u2028'))
    for (const byte of bytes) engine.child.stdin?.write(Uint8Array.of(byte))
    engine.child.stdin?.end()
    assert.equal(JSON.parse(await sent).states[0].id, id)
  })

  it('refuses a folder that is not there, by its name, and stays', async () => {
    using folder = temporaryFolder()
    await using engine = new Engine()
    engine.send(request(join(folder.path, 'missing'), [task('t', 1)]))
    await assert.rejects(engine.next('result'), /NO_SUCH_FILE.*missing.*expected a folder/s)
    engine.send(request(folder.path, [task('t', 1)]))
    await engine.next('listening')
  })

  it('stops the run during which it gets what is no message, as if the parent had gone', async () => {
    for (const line of ['hello', '{"type":"dance"}']) {
      using folder = temporaryFolder()
      await using engine = new Engine('pipe')
      const printed = text(engine.child.stderr as Readable)
      engine.send(request(folder.path, [task('first', 5)]))
      await engine.next('listening')
      engine.child.stdin?.write(`${line}\n`)
      const { result } = (await engine.next('result')) as unknown as { result: { ok: boolean } }
      assert.equal(result.ok, false)
      const said = await printed
      assert.match(said, /^bellis: The engine (got|was sent)/)
      assert.doesNotMatch(said, /\n +at \S+ \(/)
      assert.equal(await engine.end(), 2)
    }
  })

  it('has the parent start a worker for each task that has its own, and hears how it ended', async () => {
    using folder = temporaryFolder()
    await using engine = new Engine()
    const tasks = ['a', 'b'].map((id) => task(id, 1, { ownWorkers: true, maxRetries: 0 }))
    engine.send(request(folder.path, tasks, { pool: 'parent', maxWorkerRestarts: 0 }))
    const asked: string[] = []
    for (const _ of tasks) {
      const { worker, taskId } = (await engine.next('launch')) as unknown as { worker: string; taskId: string }
      asked.push(taskId)
      engine.send({ type: 'exited', worker, reason: 'exit code 3', lastOutput: `${taskId} is broken` })
    }
    assert.deepEqual(asked.sort(), ['a', 'b'])
    const { result } = (await engine.next('result')) as unknown as {
      result: { ok: boolean; tasks: { error: { message: string } }[] }
    }
    assert.equal(result.ok, false)
    for (const [at, id] of ['a', 'b'].entries()) {
      assert.match(result.tasks[at]?.error.message ?? '', new RegExp(`exit code 3.*${id} is broken`, 's'))
    }
  })

  it('submits jobs to the batch system that is asked for, with its options', async () => {
    for (const [pool, program] of [
      ['lsf', 'bsub'],
      ['pbs', 'qsub'],
    ] as const) {
      using folder = temporaryFolder()
      // The system's programs are not those of a batch system.
      const asked = join(folder.path, 'asked')
      writeFileSync(join(folder.path, program), `#!/bin/sh\necho "$@" > ${asked}\necho not today >&2\nexit 1\n`, {
        mode: 0o755,
      })
      await using engine = new Engine('inherit', { PATH: `${folder.path}:${process.env.PATH}` })
      const options = { pool, [pool]: '-q night', workerCommand: ['true'], runDir: folder.path }
      engine.send(request(folder.path, [task('t', 2)], options))
      const { error } = (await engine.next('error')) as unknown as { error: { code: string; message: string } }
      assert.equal(error.code, 'JOB_REFUSED')
      assert.match(error.message, /not today/)
      assert.match(readFileSync(asked, 'utf8'), /-q night/)
    }
  })

  it('asks the parent which blocks are done, many at a time, and gives workers only the others', async (t) => {
    using folder = temporaryFolder()
    await using engine = new Engine()
    engine.send(request(folder.path, [task('t', 200, { asks: true })], { pool: 'parent' }))
    const { context } = await engine.next('listening')
    const { worker, session } = await engine.next('launch')
    const done: number[] = []
    Object.assign(process.env, { BELLIS_CONTEXT: context, BELLIS_WORKER: `${worker}:${session}` })
    t.after(() => {
      delete process.env.BELLIS_CONTEXT
      delete process.env.BELLIS_WORKER
    })
    const working = (async () => {
      for await (const block of joinRun()) done.push(block.index)
    })()
    const questions: number[] = []
    for (let count = 0; count < 200; ) {
      const { question, blocks } = (await engine.next('check')) as unknown as { question: number; blocks: number[] }
      questions.push(blocks.length)
      count += blocks.length
      engine.send({ type: 'checked', question, done: blocks.map((index) => index % 3 === 0) })
    }
    await working
    engine.send({ type: 'exited', worker, reason: 'exit code 0' })
    const { result } = (await engine.next('result')) as unknown as {
      result: { tasks: { completed: number; skipped: number }[] }
    }
    assert.deepEqual([result.tasks[0]?.completed, result.tasks[0]?.skipped], [200, 67])
    assert.deepEqual(
      done.toSorted((a, b) => a - b),
      Array.from({ length: 200 }, (_, index) => index).filter((index) => index % 3 !== 0),
    )
    assert.ok(questions.length < 100, `${questions.length} questions`)
  })

  it('refuses an invalid run by naming the field, and stays', async () => {
    using folder = temporaryFolder()
    await using engine = new Engine()
    engine.send(request(folder.path, [{ ...task('t', 1), fit: 'tight' }]))
    await assert.rejects(engine.next('result'), /INVALID_CONFIG.*fit/s)
    engine.send(request(folder.path, [task('t', 1)]))
    await engine.next('listening')
  })

  it('hands out blocks to a parent that does them itself, one call at a time', async () => {
    using folder = temporaryFolder()
    await using engine = new Engine()
    const wide = { ...task('t', 2), readRoi: box(0, 20), totalRoi: box(0, 30), readWriteConflict: true, maxRetries: 0 }
    engine.send({ type: 'schedule', tasks: [wide] })
    type Scheduled = { states: { ready: number; failed: number; orphaned: number }[]; block: { index: number } | null }
    const scheduled = async () => (await engine.next('scheduled')) as unknown as Scheduled
    const started = await scheduled()
    assert.deepEqual([started.block, started.states[0]?.ready], [null, 1])
    const acquire = async () => {
      engine.send({ type: 'acquire', taskId: 't' })
      return (await scheduled()).block?.index
    }
    assert.deepEqual([await acquire(), await acquire()], [1, undefined])
    engine.send({ type: 'release', taskId: 't', block: 0, outcome: 'done' })
    await assert.rejects(scheduled(), /BLOCK_NOT_HELD/)
    engine.send({ type: 'release', taskId: 't', block: 1, outcome: 'failed' })
    const [state] = (await scheduled()).states
    assert.deepEqual([state?.failed, state?.orphaned], [1, 1])
    engine.send({ type: 'close' })
    engine.send(request(folder.path, [task('t', 1)]))
    await engine.next('listening')
  })

  it('ends when its parent has gone', async () => {
    using folder = temporaryFolder()
    await using engine = new Engine()
    engine.send(request(folder.path, [task('t', 3)]))
    await engine.next('listening')
    assert.equal(await engine.end(), 0)
  })
})
