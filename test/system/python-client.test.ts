import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { createArray, type Invitation, openArray, type RunEvent, type RunOptions, runBlockwise } from 'bellis'
import pythonSmooth from '../../examples/python-smooth/task.ts'
import { listenTcp } from '../../src/adapters/links/tcp-listener.ts'
import { commandsOf, pathOf, readDocument } from '../docs/markdown.ts'
import { bellis, hashVoxels, temporaryFolder } from '../support/command-line.ts'
import { testTls } from '../support/links.ts'
import { stillRunning, until } from '../support/processes.ts'
import { pythonOrSkip } from '../support/python.ts'
import { pythonClient as client, runProgram } from '../support/python-program.ts'

describe('a program as a task', () => {
  it('a Python program with SciPy and zarr gives the same voxels as the task smooth', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    using folder = temporaryFolder()
    const cwd = folder.path
    const call = async (...args: string[]) => {
      const { code, stderr } = await bellis(args, { cwd })
      assert.equal(code, 0, stderr)
    }
    await call('sample', 'sample.hdf', '--size', '32,96,96', '--seed', '7', '--quiet')
    await call('convert', 'sample.hdf/volumes/raw', 'raw.zarr/raw')
    await call('smooth', 'raw.zarr/raw', 'out.zarr/built-in', '--sigma', '2')
    const [input, output] = [join(cwd, 'raw.zarr/raw'), join(cwd, 'out.zarr/python')]
    const config = { input, output, python, block: 48 }
    const result = await runBlockwise(pythonSmooth(config), { workers: 2, runDir: join(cwd, '.bellis') })
    assert.equal(result.ok, true, JSON.stringify(result.tasks))
    assert.equal(await hashVoxels(output), await hashVoxels(join(cwd, 'out.zarr/built-in')))
    await using smoothed = await openArray(output)
    const made = smoothed.attributes.bellis as { task: string; ended?: string }
    assert.deepEqual([made.task, typeof made.ended], ['python-smooth', 'string'])
  })

  it('the commands of the example run as they stand, also with voxels of a fraction of a nm and an offset', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    using folder = temporaryFolder()
    const cwd = folder.path
    await using raw = await createArray(join(cwd, 'out.zarr/volumes/raw'), {
      ...{
        shape: [20, 70, 70],
        dtype: 'uint8',
        voxelSize: [50_000, 4_600, 4_600],
        offset: [100_000, 9_200, 0],
        unit: 'pm',
      },
    })
    await raw.write(
      raw.roi,
      Uint8Array.from({ length: 20 * 70 * 70 }, (_, i) => (i * 7919) % 251),
    )
    const readme = readDocument('examples/python-smooth/README.md')
    const commands = commandsOf(readme)
    assert.ok(commands.length > 0)
    for (const { words } of commands) {
      const args = words.slice(1).map((word) => (word.startsWith('examples/') ? pathOf(word) : word))
      const { code, stderr } = await bellis(
        args.map((word) => (word.endsWith('bin/python') ? python : word)),
        { cwd },
      )
      assert.equal(code, 0, stderr)
    }
    const built = await bellis(['smooth', 'out.zarr/volumes/raw', 'out.zarr/volumes/built-in'], { cwd })
    assert.equal(built.code, 0, built.stderr)
    const volumes = join(cwd, 'out.zarr/volumes')
    assert.equal(await hashVoxels(join(volumes, 'in-python')), await hashVoxels(join(volumes, 'built-in')))
  })

  it('a Python program reports an exception of a block, and continues with the others', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    using folder = temporaryFolder()
    const body = 'for block in bellis.blocks():\n  with block:\n    print("talk")\n    1 / (block.index - 3)\n'
    const { tasks } = await runProgram(python, folder.path, body, { maxRetries: 1 })
    assert.equal(tasks[0]?.completed, 7)
    assert.deepEqual(
      tasks[0]?.failures.map(({ error }) => [error.code, error.message]),
      [['BLOCK_FAILED', 'ZeroDivisionError: division by zero']],
    )
  })

  it('a Python program is given its GPUs, in the environment too, even with workers in the process of the run', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    using folder = temporaryFolder()
    // The first blocks end when both programs have started.
    const body = `import json, time
for block in bellis.blocks():
  folder = block.config["folder"]
  own = block.resources["gpu"][0]
  open(f"{folder}/gpu-{own}-{os.environ['CUDA_VISIBLE_DEVICES']}", "w").close()
  while len([name for name in os.listdir(folder) if name.startswith("gpu-")]) < 2:
    time.sleep(0.01)
`
    const options = { pool: 'inline', workers: 2, resources: { gpu: 2 } } as const
    const result = await runProgram(python, folder.path, body, options, { requires: { gpu: 1 } })
    assert.equal(result.ok, true, JSON.stringify(result.tasks))
    const seen = readdirSync(folder.path).filter((name) => name.startsWith('gpu-'))
    assert.deepEqual(seen.sort(), ['gpu-0-0', 'gpu-1-1'])
  })

  for (const pool of ['process', 'thread'] as const) {
    it(`a Python program reports its memory as part of its worker with the pool "${pool}"`, async (t) => {
      const python = pythonOrSkip(t)
      if (python === undefined) return
      using folder = temporaryFolder()
      const body = `for block in bellis.blocks():
  if block.index == 7:
    bytearray(b"x") * 300_000_000
`
      const { ok, workers } = await runProgram(python, folder.path, body, { pool })
      assert.ok(ok)
      assert.ok(workers.peakMemory > 300e6 && workers.peakMemory < 900e6, `${workers.peakMemory}`)
    })
  }

  it('a killed Python program is started again, and its block is tried again', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    using folder = temporaryFolder()
    const body = `for block in bellis.blocks():
  if block.index == 3 and not os.path.exists(block.config["folder"] + "/died"):
    open(block.config["folder"] + "/died", "w").close()
    os.kill(os.getpid(), signal.SIGKILL)
`
    const result = await runProgram(python, folder.path, body)
    assert.equal(result.ok, true, JSON.stringify(result.tasks))
    assert.ok(existsSync(join(folder.path, 'died')), 'it was killed')
  })

  for (const pool of ['inline', 'thread'] as const) {
    it(`Python programs do blocks in parallel with the pool "${pool}", and end with the run`, async (t) => {
      const python = pythonOrSkip(t)
      if (python === undefined) return
      using folder = temporaryFolder()
      // The first block ends when another one has started in another program.
      const body = `import time
for block in bellis.blocks():
  folder = block.config["folder"]
  open(f"{folder}/program-{os.getpid()}", "w").close()
  while block.index == 0 and len([name for name in os.listdir(folder) if name.startswith("program-")]) < 2:
    time.sleep(0.01)
`
      const result = await runProgram(python, folder.path, body, { pool, workers: 3, maxRetries: 0 })
      assert.equal(result.ok, true, JSON.stringify(result.tasks))
      const names = readdirSync(folder.path).filter((name) => name.startsWith('program-'))
      const programs = names.map((name) => Number(name.replace('program-', '')))
      assert.ok(programs.length > 1)
      await until('they have ended', () => stillRunning(programs).length === 0)
    })
  }

  /** Starts Python workers by BELLIS_CONTEXT, each when the previous one has ended. @returns how all of them ended */
  function joinInTurn(python: string, context: string, ...bodies: string[]): Promise<string[]> {
    const [body, ...others] = bodies
    if (body === undefined) return Promise.resolve([])
    const code = `import bellis, os, signal\nfor block in bellis.blocks():\n  ${body}\n`
    const child = spawn(python, ['-c', code], {
      env: { ...process.env, BELLIS_CONTEXT: context, PYTHONPATH: client },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    return once(child, 'exit').then(async ([exitCode, signal]) => [
      `${signal ?? exitCode}`,
      ...(await joinInTurn(python, context, ...others)),
    ])
  }

  /** Runs eight blocks by Python workers that join in turn. */
  async function runJoined(python: string, options: RunOptions, ...bodies: string[]) {
    using folder = temporaryFolder()
    const contexts: string[] = []
    let ended: Promise<string[]> = Promise.resolve([])
    const onListening = ({ context }: Invitation) => {
      contexts.push(context)
      ended = joinInTurn(python, context, ...bodies)
    }
    const result = await runProgram(python, folder.path, '', { pool: 'none', onListening, ...options })
    return { result, context: contexts[0] ?? '', ended: await ended }
  }

  for (const signal of ['SIGTERM', 'SIGINT']) {
    it(`a Python program that joined by BELLIS_CONTEXT returns its blocks on ${signal}, and another does them`, async (t) => {
      const python = pythonOrSkip(t)
      if (python === undefined) return
      const leave = `os.kill(os.getpid(), signal.${signal})`
      const { result, ended } = await runJoined(python, { maxRetries: 0 }, leave, 'pass')
      assert.equal(result.ok, true, JSON.stringify(result.tasks))
      assert.deepEqual(ended, ['0', '0'])
    })
  }

  it('a Python program that joined by BELLIS_CONTEXT and is killed is reported as dead, and another does its blocks', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    const died: string[] = []
    const onEvent = (event: RunEvent) => {
      if (event.type === 'worker-died') died.push(event.reason)
    }
    const kill = 'block.index == 4 and os.kill(os.getpid(), signal.SIGKILL)'
    const { result, ended } = await runJoined(python, { maxRetries: 1, reconnectMs: 100, onEvent }, kill, 'pass')
    assert.equal(result.ok, true, JSON.stringify(result.tasks))
    assert.equal(result.tasks[0]?.completed, 8)
    assert.deepEqual(ended, ['SIGKILL', '0'])
    assert.equal(died.length, 1)
    assert.match(died[0] ?? '', /was lost: its connection ended and it did not reconnect within 0.1 s/)
  })

  it('a Python program connects over TLS to the certificate of the context only, and sends nothing to any other', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    const { result, context, ended } = await runJoined(python, { host: '0.0.0.0' }, 'pass')
    assert.match(context, /\?tls=[0-9a-f]{64}$/)
    assert.equal(result.ok, true, JSON.stringify(result.tasks))
    assert.deepEqual(ended, ['0'])
    await using listener = await listenTcp({ tls: testTls })
    const arrivals: unknown[] = []
    listener.onArrival((_, join) => void arrivals.push(join))
    const wrong = `bellis://${listener.token}@127.0.0.1:${listener.port}?tls=${'0'.repeat(64)}`
    const code = `import bellis
try:
  list(bellis.blocks(${JSON.stringify(wrong)}))
except bellis.Refused as error:
  print(error.code, error)
`
    const { stdout } = await promisify(execFile)(python, ['-c', code], { env: { ...process.env, PYTHONPATH: client } })
    assert.match(
      stdout,
      /^UNAUTHORIZED 127\.0\.0\.1:\d+ is not the coordinator of this context: it presented the certificate [0-9a-f]{64}; expected [0-9a-f]{64}, as in the/,
    )
    assert.deepEqual(arrivals, [])
    await using unprotected = await listenTcp({ joinMs: 300 })
    const plain = code.replace(
      /bellis:\/\/\w+@127\.0\.0\.1:\d+/,
      `bellis://${unprotected.token}@127.0.0.1:${unprotected.port}`,
    )
    const spoken = await promisify(execFile)(python, ['-c', plain], { env: { ...process.env, PYTHONPATH: client } })
    assert.match(spoken.stdout, /^PROTOCOL_ERROR .*: it does not speak TLS, which the context requires/)
    const without = code.replace(`?tls=${'0'.repeat(64)}`, '')
    const refused = await promisify(execFile)(python, ['-c', without], { env: { ...process.env, PYTHONPATH: client } })
    assert.match(refused.stdout, /^PROTOCOL_ERROR .*accepts workers over TLS only/)
  })
})
