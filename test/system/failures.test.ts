import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { pathToFileURL } from 'node:url'
import { bellis, hashVoxels, type RunningCommand, temporaryFolder } from '../support/command-line.ts'
import { type Driven, drive, eventsOf } from '../support/drive.ts'
import { chunksIn, contentsOf } from '../support/folders.ts'
import { childrenOf, cpuSecondsOf, stillRunning, until } from '../support/processes.ts'
import { SMOOTHED, sampleForAll } from '../support/smoothed-sample.ts'

const raw = sampleForAll()

/** Smooths the sample in 256 blocks of one chunk, which take some milliseconds each. */
const smoothTo = (output: string, ...more: string[]) => {
  const blocks = ['--sigma', '2', '--block-write', '8,24,24', '--workers', '2', '--max-retries', '50']
  return ['smooth', raw, output, ...blocks, ...more]
}

const marks = (folder: string, what: string): number[] =>
  readdirSync(folder)
    .flatMap((name) => (name.startsWith(`${what}-`) ? [Number(name.slice(what.length + 1))] : []))
    .sort((a, b) => a - b)

const others = (count: number, but: readonly number[]): number[] =>
  Array.from({ length: count }, (_, index) => index).filter((index) => !but.includes(index))

/** The processes that a running driver has reported as workers. */
const workersOf = ({ output }: RunningCommand): number[] =>
  output.stdout
    .split('\n')
    .filter((line) => line.endsWith('}') && line.includes('"worker-started"'))
    .map((line) => JSON.parse(line).pid)

describe('a worker', () => {
  it('replaces workers that are killed repeatedly, one by one or all at once, and the result is correct', async () => {
    using folder = temporaryFolder()
    const output = join(folder.path, 'out.zarr/s')
    // Many blocks, so that the run is not over before all workers were killed.
    const args = smoothTo('out.zarr/s', '--block-write', '4,12,12')
    let killed = 0
    const killWhenBusy = async (pid: number, all: boolean) => {
      const workers = await until('two workers run', () => {
        const children = childrenOf(pid)
        return children.length === 2 && children
      })
      const stored = chunksIn(output)
      await until('further chunks are written', () => chunksIn(output) > stored)
      for (const worker of all ? workers : workers.slice(0, 1)) {
        process.kill(worker, 'SIGKILL')
        killed++
      }
      await until('it is gone', () => !childrenOf(pid).includes(workers[0] as number))
    }
    const meanwhile = async ({ pid }: RunningCommand) => {
      for (const all of [false, false, false, true]) await killWhenBusy(pid, all)
      assert.ok(chunksIn(output) < 2048, 'the run was over before all were killed')
    }
    const { code, stdout, stderr } = await bellis([...args, '--events', 'events.jsonl'], {
      cwd: folder.path,
      meanwhile,
    })
    assert.equal(code, 0, stderr)
    assert.match(stdout, /smooth: 2048 of 2048 blocks/)
    // Notes of what repeats are rare.
    assert.match(stderr, /worker w\d+ ended \(killed by SIGKILL\); replacing it/)
    const events = readFileSync(join(folder.path, 'events.jsonl'), 'utf8')
    assert.equal(events.match(/"type":"worker-died"/g)?.length, killed)
    assert.equal(await hashVoxels(output), SMOOTHED)
  })

  it('counts workers that die together as one death, and the run continues', async () => {
    using folder = temporaryFolder()
    const config = { folder: folder.path, blocks: 4, how: 'wait-for-go' }
    const meanwhile = async (driver: RunningCommand) => {
      await until(
        'all blocks have started',
        () => marks(folder.path, 'begun').length === 4 && workersOf(driver).length === 4,
      )
      for (const worker of workersOf(driver)) process.kill(worker, 'SIGKILL')
      for (let index = 0; index < 4; index++) writeFileSync(join(folder.path, `go-${index}`), '')
    }
    const driven = await drive('misbehave.ts', config, { workers: 4, maxWorkerRestarts: 1 }, { meanwhile })
    assert.equal(driven.result.ok, true, driven.stderr)
    assert.equal(eventsOf(driven, 'worker-died').length, 4)
  })

  it('a worker that gets SIGTERM finishes its block, returns the others and is replaced; no attempt is counted', async () => {
    using folder = temporaryFolder()
    const config = { folder: folder.path, blocks: 200, at: [20, 150], how: 'wait-for-go' }
    const go = (index: number) => writeFileSync(join(folder.path, `go-${index}`), '')
    const meanwhile = async (driver: RunningCommand) => {
      const begun = [20, 150].map((index) => join(folder.path, `begun-${index}`))
      // By then one worker has block 20 and some after it, the other has block 150, and the last blocks are not leased yet.
      const [first, last] = await until('both are at their block', () => {
        const pids = begun.map((file) => existsSync(file) && Number(readFileSync(file, 'utf8')))
        return pids.every(Boolean) && (pids as number[])
      })
      assert.notEqual(first, last)
      process.kill(first as number, 'SIGTERM')
      go(20)
      await until('it is replaced', () => workersOf(driver).length === 3)
      go(150)
    }
    const driven = await drive('misbehave.ts', config, { maxRetries: 0 }, { meanwhile })
    assert.equal(driven.result.ok, true, driven.stderr)
    assert.deepEqual(eventsOf(driven, 'worker-died'), [])
    assert.deepEqual(eventsOf(driven, 'block-retried'), [])
    assert.equal(marks(folder.path, 'done').length, 200)
    assert.ok(
      eventsOf(driven, 'blocks-done').some((event) => event.workerId === 'w3'),
      'w3 does what is left',
    )
  })

  it('a worker ends with its run, whatever its task has left open', async () => {
    using folder = temporaryFolder()
    const driven = await drive('misbehave.ts', { folder: folder.path, blocks: 2, how: 'leave-a-timer' }, {})
    assert.equal(driven.result.ok, true, driven.stderr)
    // A worker that has to be killed leaves no such mark.
    const began = marks(folder.path, 'begun').map((index) =>
      Number(readFileSync(join(folder.path, `begun-${index}`), 'utf8')),
    )
    assert.deepEqual(new Set(marks(folder.path, 'left')), new Set(began))
  })
})

describe('a block that ends or blocks its worker', { concurrency: 2 }, () => {
  for (const [how, maxRetries, reason, words] of [
    ['exit', 0, /Worker w\d+ died \(exit code 7\)/, /last words of block 100/],
    ['be-killed', 1, /Worker w\d+ died \(killed by SIGKILL\)/, /^/],
  ] as const) {
    it(`a block that ends its worker (${how}) fails after ${maxRetries + 1} attempts with the worker's last output; all others are done`, async () => {
      using folder = temporaryFolder()
      // In the middle of many short blocks, which a worker does not announce one by one.
      const at = maxRetries === 0 ? [60, 100, 140] : [100]
      const driven = await drive('misbehave.ts', { folder: folder.path, blocks: 200, at, how }, { maxRetries })
      assert.equal(driven.code, 1)
      const [task] = driven.result.tasks
      const failed = at.length
      assert.deepEqual([driven.result.ok, task?.completed, task?.failed], [false, 200 - failed, failed])
      assert.deepEqual(
        task?.failures.map((failure) => failure.index).sort((a, b) => a - b),
        at,
      )
      const failure = task?.failures.find(({ index }) => index === 100)
      assert.deepEqual([failure?.block, failure?.attempts], ['misbehave/100', maxRetries + 1])
      assert.equal(failure?.error.code, 'WORKER_DIED')
      assert.match(failure?.error.message ?? '', reason)
      assert.match(failure?.error.message ?? '', words)
      assert.match(readFileSync(join(folder.path, failure?.logFile ?? ''), 'utf8'), words)
      assert.deepEqual(marks(folder.path, 'done'), others(200, at))
    })
  }

  for (const how of ['compute-for-ever', 'wait-for-ever']) {
    it(`a block that hangs (${how}) is ended and reported after its time limit; all others are done`, async () => {
      using folder = temporaryFolder()
      const options = { maxRetries: 1, timeoutMs: 2000 }
      const driven = await drive('misbehave.ts', { folder: folder.path, blocks: 200, at: [100], how }, options)
      assert.equal(driven.code, 1)
      const [failure, ...more] = driven.result.tasks[0]?.failures ?? []
      assert.deepEqual([more.length, failure?.block, failure?.attempts], [0, 'misbehave/100', 2])
      assert.equal(failure?.error.code, 'BLOCK_TIMEOUT')
      assert.match(failure?.error.message ?? '', /Block misbehave\/100 took longer than 2 s; its worker w\d+ was ended/)
      assert.deepEqual(marks(folder.path, 'done'), others(200, [100]))
      const workers = eventsOf(driven, 'worker-started').map((event) => event.pid)
      await until('no worker is left', () => stillRunning(workers).length === 0)
    })
  }
})

describe('a task that no worker can set up', { concurrency: 2 }, () => {
  const assertAbandoned = (driven: Driven, message: RegExp) => {
    assert.equal(driven.code, 1, driven.stderr)
    const [task] = driven.result.tasks
    assert.deepEqual([driven.result.ok, task?.completed, task?.failed, task?.orphaned], [false, 0, 0, task?.total])
    assert.equal(task?.error?.code, 'TASK_ABANDONED')
    assert.match(task?.error?.message ?? '', message)
    // The time that workers need to start depends on the machine.
    const waited = eventsOf(driven, 'worker-died').reduce((sum, { restartMs = 0 }) => sum + restartMs, 0)
    assert.ok(waited < 10_000, `${waited} ms passed before workers were replaced`)
  }

  for (const [title, source, message] of [
    ['its module throws', "throw new Error('no driver for this device')", /no driver for this device/],
    ['its module has a syntax error', 'export default {', /task\.mjs can't be loaded: .*Unexpected end of input/],
    [
      'its module does not export the task',
      'export const other = 1',
      /task\.mjs exports no task named "elsewhere".*export it/,
    ],
    ['its module is missing', undefined, /task\.mjs can't be loaded: .*Cannot find module/],
  ] as const) {
    it(`a task that no worker can set up ends the run in seconds, with the error of the task: ${title}`, async () => {
      using folder = temporaryFolder()
      const module = join(folder.path, 'task.mjs')
      if (source !== undefined) writeFileSync(module, source)
      const env = { TASK_MODULE: pathToFileURL(module).href }
      const driven = await drive('elsewhere.ts', { folder: folder.path }, { maxWorkerRestarts: 1 }, { env })
      assertAbandoned(driven, message)
    })
  }

  it('a task that no worker can set up ends the run in seconds, with the error of the task: its setup throws, with all restarts', async () => {
    using folder = temporaryFolder()
    const driven = await drive('misbehave.ts', { folder: folder.path, blocks: 1000, how: 'setup-throws' }, {})
    // Five restarts after a worker's death; one that dies with another one does not count, but its death is told.
    assertAbandoned(driven, /ended ([6-9]|1[0-2]) times in a row .*the model has 3 layers, not 4/)
  })

  it('a task that no worker can set up ends the run in seconds, with the error of the task: its setup hangs, with a time limit', async () => {
    using folder = temporaryFolder()
    const options = { setupTimeoutMs: 500, maxWorkerRestarts: 1 }
    const driven = await drive('misbehave.ts', { folder: folder.path, blocks: 8, how: 'setup-hangs' }, options)
    assertAbandoned(driven, /Setting up "misbehave" took longer than 0\.5 s/)
  })
})

describe('a coordinator', () => {
  for (const how of ['compute-for-ever', 'wait-for-ever']) {
    it(`a killed coordinator leaves no worker behind, not even a busy one (${how})`, async () => {
      using folder = temporaryFolder()
      let workers: number[] = []
      const meanwhile = async (driver: RunningCommand) => {
        await until('both blocks have started', () => marks(folder.path, 'begun').length === 2)
        workers = await until('it has said so', () => workersOf(driver).length === 2 && workersOf(driver))
        process.kill(driver.pid, 'SIGKILL')
      }
      const { code } = await drive('misbehave.ts', { folder: folder.path, blocks: 4, how }, {}, { meanwhile })
      assert.deepEqual([code, workers.length], ['SIGKILL', 2])
      await until('no worker is left', () => stillRunning(workers).length === 0)
    })
  }

  it('on Ctrl-C the coordinator lets running blocks finish and prints the command that continues, which does', async () => {
    using folder = temporaryFolder()
    const output = join(folder.path, 'out.zarr/s')
    let workers: number[] = []
    let start = 0
    const meanwhile = async ({ pid }: RunningCommand) => {
      await until('chunks are written', () => chunksIn(output) > 2)
      workers = childrenOf(pid)
      start = performance.now()
      process.kill(-pid, 'SIGINT')
    }
    // Many blocks, so that the run is not over before this test has looked.
    const args = smoothTo('out.zarr/s', '--block-write', '4,12,12')
    const { code, stdout, stderr } = await bellis(args, { cwd: folder.path, ownGroup: true, meanwhile })
    assert.ok(performance.now() - start < 60_000, 'it takes more than seconds')
    assert.equal(code, 130, stderr)
    assert.match(stdout, /^■ smooth: stopped after \d+ of 2048 blocks, \d+ left, /m)
    assert.match(stderr, /Stopping: running blocks may finish; Ctrl-C again stops at once/)
    assert.ok(stderr.endsWith(`To continue: bellis ${args.join(' ')}\n`), stderr)
    assert.equal(workers.length, 2)
    assert.deepEqual(stillRunning(workers), [])

    const interrupted = contentsOf(output)
    assert.ok(chunksIn(output) < 2048)
    const again = await bellis(args, { cwd: folder.path })
    assert.equal(again.code, 0, again.stderr)
    assert.equal(await hashVoxels(output), SMOOTHED)
    const whole = new Set(contentsOf(output))
    assert.deepEqual(
      // The metadata say when the run has ended, and the mark which leases hold.
      interrupted.filter((entry) => !whole.has(entry) && !/^(zarr\.json|\.bellis-run) /.test(entry)),
      [],
      'no chunk was torn, no file was left over',
    )
  })

  it('on a second Ctrl-C the coordinator and its workers stop at once, whatever they are doing', async () => {
    using folder = temporaryFolder()
    // One block of all voxels with a huge sigma, which takes much longer than this test.
    const args = ['smooth', raw, 'out.zarr/s', '--sigma', '4000', '--block-write', '32,192,192', '--workers', '1']
    let workers: number[] = []
    let second = 0
    const meanwhile = async ({ pid, output }: RunningCommand) => {
      workers = await until('its worker runs', () => childrenOf(pid).length === 1 && childrenOf(pid))
      // Longer than the start takes.
      await until('it computes', () => cpuSecondsOf(workers[0] as number) >= 1)
      process.kill(-pid, 'SIGINT')
      await until('it has heard', () => output.stderr.includes('Stopping'))
      second = performance.now()
      process.kill(-pid, 'SIGINT')
    }
    const { code, stderr } = await bellis(args, { cwd: folder.path, ownGroup: true, meanwhile })
    // Blocks have 5 s to finish after the first Ctrl-C.
    assert.ok(performance.now() - second < 4_500, 'at once')
    assert.equal(code, 130, stderr)
    await until('no worker is left', () => stillRunning(workers).length === 0)
    assert.deepEqual(
      contentsOf(join(folder.path, 'out.zarr')).filter((entry) => /\/c\/|\.tmp/.test(entry)),
      [],
    )
  })

  it('prints the result if Ctrl-C is pressed when the run is over and not reported yet', async () => {
    using folder = temporaryFolder()
    // The command no longer listens for a stop of the run.
    const late = `data:text/javascript,${encodeURIComponent(
      "const { off } = process; process.off = (name, listener) => { off.call(process, name, listener); if (name === 'SIGINT') { process.off = off; process.kill(process.pid, 'SIGINT') } return process }",
    )}`
    const args = ['convert', raw, 'out.zarr/raw', '--pool', 'inline']
    const env = { NODE_OPTIONS: `--import=${late}` }
    const { code, stdout, stderr } = await bellis(args, { cwd: folder.path, env })
    assert.equal(code, 0, stderr)
    assert.match(stdout, /^✔ convert: [\s\S]*^Written: out\.zarr\/raw$/m)
  })

  it('keeps the exit code if Ctrl-C is pressed after all has been reported', async () => {
    using folder = temporaryFolder()
    const late = `data:text/javascript,${encodeURIComponent(
      "process.once('beforeExit', () => { process.kill(process.pid, 'SIGINT'); setTimeout(() => {}, 60_000) })",
    )}`
    const env = { NODE_OPTIONS: `--import=${late}` }
    const { code, stderr } = await bellis(['info', 'none.zarr'], { cwd: folder.path, env })
    assert.equal(code, 2, stderr)
  })
})
