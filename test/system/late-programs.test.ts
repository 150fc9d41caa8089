import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openArray } from '../../src/entry/arrays.ts'
import { bellis, type RunningCommand, runNode, runProgram, temporaryFolder } from '../support/command-line.ts'
import { childrenOf, stillRunning, until } from '../support/processes.ts'
import { pythonOrSkip } from '../support/python.ts'
import { runsIn } from '../support/recorded-runs.ts'

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const task = path('../support/tasks/late-program.ts')
const program = path('../support/tasks/late-program.mjs')
const client = path('../../clients/python')

/** Runs a command until both it and what a test does meanwhile have ended: the test may kill it and go on. */
async function both(
  run: (meanwhile: (command: RunningCommand) => void) => ReturnType<typeof bellis>,
  act: (command: RunningCommand) => Promise<void>,
) {
  let acting: Promise<void> | undefined
  const ended = await run((command) => {
    acting = act(command)
    // If it fails, the command ends, too, unless the test has killed it.
    acting.catch(() => {
      for (const pid of stillRunning([command.pid])) process.kill(pid, 'SIGKILL')
    })
  })
  await acting
  return ended
}

/** A folder in which runs fill an output with a value; blocks of the value 1 wait for the file `go`. */
function place() {
  const folder = temporaryFolder()
  const cwd = folder.path
  const output = join(cwd, 'out.zarr', 'filled')
  const start = (value: number, flags: readonly string[], act = async (_: RunningCommand) => {}) => {
    const args = ['run', task, '--folder', cwd, '--output', output, '--value', String(value), ...flags]
    return both((meanwhile) => bellis(args, { cwd, meanwhile }), act)
  }
  return {
    ...folder,
    cwd,
    start,
    worker: (run: string, act: (command: RunningCommand) => Promise<void>) =>
      both((meanwhile) => bellis(['worker', run], { cwd, meanwhile }), act),
    file: (name: string) => join(cwd, name),
    /** The process that is doing a block. */
    busy: () =>
      until('a block has begun', () => {
        const pid = existsSync(join(cwd, 'begun')) ? Number(readFileSync(join(cwd, 'begun'), 'utf8')) : 0
        return pid > 0 && pid
      }),
    async context() {
      const run = await until('the run has a folder', () => runsIn(cwd)[0])
      const file = join(cwd, '.bellis', run, 'context')
      await until('workers may join', () => existsSync(file))
      return { run, context: readFileSync(file, 'utf8').trim() }
    },
    replace: () => start(2, ['--overwrite', '--yes', '--workers', '1']),
    async voxels() {
      await using array = await openArray(output)
      return [...((await array.read(array.roi)).data as Uint8Array)]
    },
  }
}

const isRefused = ({ code, stderr }: { code: unknown; stderr: string }, pid: number) => {
  assert.equal(code, 2, stderr)
  const [, pids = ''] =
    /filled may still be written by programs of a run that is over \(process ([\d, ]+) on /.exec(stderr) ?? []
  assert.ok(pids.split(', ').map(Number).includes(pid), stderr)
}

describe('a program that writes a volume whose path names no scale', () => {
  it('R5: is not taken for one whose run is over', async () => {
    using folder = temporaryFolder()
    const { path: cwd } = folder
    const output = join(cwd, 'out.precomputed')
    const unnamed = path('../support/tasks/unnamed-scale.ts')
    const { code, stderr } = await bellis(
      ['run', unnamed, '--output', output, '--workers', '1', '--max-retries', '0'],
      {
        cwd,
      },
    )
    assert.equal(code, 0, stderr)
    await using array = await openArray(output)
    assert.deepEqual(new Set((await array.read(array.roi)).data as Uint8Array), new Set([7]))
  })
})

describe('a program that writes arrays itself and outlived its run', () => {
  it('R5: is ended by its worker, before another run replaces the output', async () => {
    using at = place()
    await at.start(1, ['--pool', 'none'], async ({ pid }) => {
      const { run } = await at.context()
      await at.worker(run, async (child) => {
        const late = await at.busy()
        process.kill(pid, 'SIGKILL')
        const next = await at.replace()
        assert.equal(next.code, 0, next.stderr)
        writeFileSync(at.file('go'), '')
        await until('it is gone', () => stillRunning([late]).length === 0)
        process.kill(child.pid, 'SIGKILL')
      })
    })
    assert.equal(existsSync(at.file('late')), false)
    assert.deepEqual(await at.voxels(), [2, 2])
  })

  it('R5: keeps the output from being replaced while its worker is suspended, and is named', async () => {
    using at = place()
    await at.start(1, ['--pool', 'none'], async ({ pid }) => {
      const { run } = await at.context()
      await at.worker(run, async (child) => {
        const late = await at.busy()
        process.kill(child.pid, 'SIGSTOP')
        process.kill(pid, 'SIGKILL')
        isRefused(await at.replace(), child.pid)
        assert.deepEqual(stillRunning([late]), [late])
        process.kill(child.pid, 'SIGKILL')
        const next = await at.replace()
        assert.equal(next.code, 0, next.stderr)
      })
    })
    assert.deepEqual(await at.voxels(), [2, 2])
  })

  it('R5: is ended with all that it has started, when its worker has lost the run', async () => {
    using at = place()
    await at.start(1, ['--workers', '1', '--by', 'shell'], async ({ pid }) => {
      const late = await at.busy()
      process.kill(pid, 'SIGKILL')
      const next = await at.replace()
      assert.equal(next.code, 0, next.stderr)
      assert.deepEqual(stillRunning([late]), [])
    })
    assert.deepEqual(await at.voxels(), [2, 2])
  })

  it('R5: is ended with all that it has started when its run is killed, although no other run takes the output', async () => {
    using at = place()
    await at.start(1, ['--workers', '1', '--by', 'shell'], async ({ pid }) => {
      const late = await at.busy()
      process.kill(pid, 'SIGKILL')
      await until('it is gone', () => stillRunning([late]).length === 0)
    })
  })

  for (const pool of ['process', 'thread']) {
    it(`R5: is ended with all that it has started, when its worker is killed or takes too long (${pool})`, {
      skip: process.platform !== 'linux',
    }, async () => {
      using at = place()
      const late: number[] = []
      const flags = ['--pool', pool, '--workers', '1', '--by', 'shell', '--timeout', '3', '--max-retries', '0']
      await at.start(1, flags, async () => {
        late.push(await at.busy())
      })
      // The run has ended, with a failed block.
      late.push(Number(readFileSync(at.file('begun'), 'utf8')))
      assert.deepEqual(stillRunning(late), [])
      assert.equal(existsSync(at.file('late')), false)
    })
  }

  // Only Linux tells which processes a program has started.
  it('R5: keeps the output from being replaced when its worker is dead', {
    skip: process.platform !== 'linux',
  }, async () => {
    using at = place()
    await at.start(1, ['--workers', '1', '--by', 'shell'], async ({ pid }) => {
      const late = await at.busy()
      // The worker first: it would end the program. The coordinator would do so for it.
      process.kill(pid, 'SIGSTOP')
      for (const each of [...childrenOf(pid), pid]) process.kill(each, 'SIGKILL')
      isRefused(await at.replace(), late)
      // The same run does not continue beside it either.
      isRefused(await at.start(1, ['--workers', '1', '--by', 'shell']), late)
      process.kill(late, 'SIGKILL')
      const next = await at.replace()
      assert.equal(next.code, 0, next.stderr)
    })
    assert.deepEqual(await at.voxels(), [2, 2])
  })

  it('R5: keeps the output from being replaced if it has joined by itself', async () => {
    using at = place()
    await at.start(1, ['--pool', 'none'], async ({ pid }) => {
      const { context } = await at.context()
      const join = (meanwhile: (command: RunningCommand) => void) =>
        runNode([program], { cwd: at.cwd, env: { BELLIS_CONTEXT: context }, meanwhile })
      await both(join, async (child) => {
        await at.busy()
        process.kill(pid, 'SIGKILL')
        isRefused(await at.replace(), child.pid)
        process.kill(child.pid, 'SIGKILL')
        const next = await at.replace()
        assert.equal(next.code, 0, next.stderr)
      })
    })
    assert.deepEqual(await at.voxels(), [2, 2])
  })

  it('R5: is told by the Python client that another run takes the output, and is waited for', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    using at = place()
    const body = `import bellis, os, time
for block in bellis.blocks():
  folder = block.config["folder"]
  with open(f"{folder}/begun-now", "w") as file: file.write(str(os.getpid()))
  os.rename(f"{folder}/begun-now", f"{folder}/begun")
  while not block.is_cancelled: time.sleep(0.01)
  # A block may take a moment to stop.
  time.sleep(0.5)
  with open(f"{block.config['output']}/late", "w") as file: file.write("")
  open(f"{folder}/late", "w").close()
`
    await at.start(1, ['--pool', 'none'], async ({ pid }) => {
      const { context } = await at.context()
      const env = { BELLIS_CONTEXT: context, PYTHONPATH: client }
      const join = (meanwhile: (command: RunningCommand) => void) =>
        runProgram(python, ['-c', body], { cwd: at.cwd, env, meanwhile })
      await both(join, async (child) => {
        await at.busy()
        process.kill(pid, 'SIGKILL')
        const next = await at.replace()
        assert.equal(next.code, 0, next.stderr)
        assert.ok(existsSync(at.file('late')))
        process.kill(child.pid, 'SIGKILL')
      })
    })
    // What it wrote was replaced.
    assert.equal(existsSync(join(at.cwd, 'out.zarr/filled/late')), false)
    assert.equal(existsSync(join(at.cwd, 'out.zarr/filled/.bellis-writers')), false)
    assert.deepEqual(await at.voxels(), [2, 2])
  })
})
