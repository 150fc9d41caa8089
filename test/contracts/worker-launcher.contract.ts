import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import type { WorkerExit } from '../../src/core/workers/worker-state.ts'
import type { LaunchedWorker, WorkerLauncher } from '../../src/ports/worker-launcher.ts'

/** A launcher and what a test needs to know of its workers, which run until they are ended. */
export interface OpenedLauncher {
  readonly launcher: WorkerLauncher
  /** Resolves when a worker runs, and has printed what it prints. */
  started(worker: LaunchedWorker, id: string): Promise<void>
  /** Asks a worker to end by itself. */
  askToEnd(worker: LaunchedWorker, id: string): void
  /** The number of workers, wherever they are; absent if that can't be counted. */
  count?(): number | Promise<number>
}

export interface LauncherKind {
  /** @returns undefined if the test was skipped */
  open(t: TestContext): Promise<OpenedLauncher | undefined>
  /** What a worker has printed when it ends. */
  readonly lastOutput: RegExp
  /** Matches the reason of a worker that ended by itself. */
  readonly ownEnd: RegExp
  /** Whether disposing ends the workers. @default true */
  readonly disposeEnds?: boolean
}

/** Long enough to notice an end that must not happen. */
const QUIET_MS = 150

const hasEnded = (worker: LaunchedWorker): Promise<boolean> =>
  Promise.race([worker.exited.then(() => true), wait(QUIET_MS, false)])

/** The contract of everything that starts workers. */
export function describeWorkerLauncher(name: string, kind: LauncherKind): void {
  const { disposeEnds = true } = kind

  describe(`the launcher of workers in ${name}`, () => {
    const withLauncher = (test: (opened: OpenedLauncher) => Promise<void>) => async (t: TestContext) => {
      const opened = await kind.open(t)
      if (opened === undefined) return
      const launched: LaunchedWorker[] = []
      const launcher: WorkerLauncher = {
        async launch(...call) {
          const worker = await opened.launcher.launch(...call)
          launched.push(worker)
          return worker
        },
        [Symbol.asyncDispose]: () => opened.launcher[Symbol.asyncDispose](),
      }
      try {
        await test({ ...opened, launcher })
      } finally {
        for (const worker of launched) worker.kill()
        await launcher[Symbol.asyncDispose]()
      }
    }

    it(
      'starts workers that run until they are ended',
      withLauncher(async ({ launcher, started }) => {
        const workers = await Promise.all(['w1', 'w2'].map((id) => launcher.launch(id, 'session')))
        for (const [index, worker] of workers.entries()) await started(worker, `w${index + 1}`)
        assert.deepEqual(await Promise.all(workers.map(hasEnded)), [false, false])
      }),
    )

    it(
      'reports once how a worker ended by itself, with the last that it printed',
      withLauncher(async ({ launcher, started, askToEnd }) => {
        const worker = await launcher.launch('w1', 'session')
        const exits: WorkerExit[] = []
        void worker.exited.then((exit) => exits.push(exit))
        await started(worker, 'w1')
        askToEnd(worker, 'w1')
        const exit = await worker.exited
        assert.match(exit.reason, kind.ownEnd)
        assert.match(exit.lastOutput, kind.lastOutput)
        worker.kill()
        await wait(QUIET_MS)
        assert.deepEqual(exits, [exit])
      }),
    )

    it(
      'kills one worker at once and leaves the others running',
      withLauncher(async ({ launcher, started }) => {
        const first = await launcher.launch('w1', 'session')
        const second = await launcher.launch('w2', 'session')
        await started(first, 'w1')
        await started(second, 'w2')
        first.kill()
        first.kill()
        const { reason, lastOutput } = await first.exited
        assert.notEqual(reason, '')
        assert.match(lastOutput, kind.lastOutput)
        assert.equal(await hasEnded(second), false)
      }),
    )

    it(
      'kills a worker that has only just been launched',
      withLauncher(async ({ launcher }) => {
        const worker = await launcher.launch('w1', 'session')
        worker.kill()
        assert.notEqual((await worker.exited).reason, '')
      }),
    )

    it(
      'leaves no worker when it is disposed, once or twice',
      withLauncher(async ({ launcher, started, count }) => {
        const before = await count?.()
        const workers = await Promise.all(['w1', 'w2'].map((id) => launcher.launch(id, 'session')))
        await started(workers[0]!, 'w1')
        if (!disposeEnds) for (const worker of workers) worker.kill()
        await launcher[Symbol.asyncDispose]()
        await launcher[Symbol.asyncDispose]()
        // What a worker has left behind is looked for before its end is reported, which takes as long as the machine is busy.
        await Promise.all(workers.map(({ exited }) => exited))
        assert.equal(await count?.(), before)
      }),
    )
  })
}
