import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type Invitation, openArray, type RunOptions, runBlockwise } from 'bellis'
import pythonSmooth from '../../examples/python-smooth/task.ts'
import { bellis, hashVoxels, temporaryFolder } from '../support/command-line.ts'
import { pythonOrSkip } from '../support/python.ts'
import programTask from './tasks/program.ts'

const client = fileURLToPath(new URL('../../clients/python/', import.meta.url))

/** Runs `body` as Python in a loop over eight blocks, started by the run. */
async function runProgram(python: string, folder: string, body: string, options: RunOptions = {}) {
  const program = join(folder, 'program.py')
  writeFileSync(
    program,
    `import os, sys, signal\nsys.path.insert(0, ${JSON.stringify(client)})\nimport bellis\n${body}`,
  )
  const runDir = join(folder, '.bellis')
  return await runBlockwise(programTask({ python, program, folder }), { workers: 1, runDir, ...options })
}

describe('a program as a task', () => {
  it('in Python with SciPy and zarr gives the same voxels as the task smooth', async (t) => {
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
    await using raw = await openArray(input)
    const config = { input, output, python, block: 48, voxelSize: [...raw.voxelSize], offset: [...raw.offset] }
    const result = await runBlockwise(pythonSmooth(config), { workers: 2, runDir: join(cwd, '.bellis') })
    assert.equal(result.ok, true, JSON.stringify(result.tasks))
    assert.equal(await hashVoxels(output), await hashVoxels(join(cwd, 'out.zarr/built-in')))
  })

  it('reports an exception of a block, and goes on with the others', async (t) => {
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

  it('that is killed in the middle is started again, and its block tried again', async (t) => {
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

  it('that comes in by BELLIS_CONTEXT leaves on SIGTERM with its blocks handed back, and another does them', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    using folder = temporaryFolder()
    const ended: Promise<unknown[]>[] = []
    const start = (context: string, more: string) => {
      const code = `import bellis, os, signal\nfor block in bellis.blocks():\n  ${more}\n`
      const child = spawn(python, ['-c', code], {
        env: { ...process.env, BELLIS_CONTEXT: context, PYTHONPATH: client },
        stdio: ['ignore', 'ignore', 'inherit'],
      })
      ended.push(once(child, 'exit'))
      return ended.at(-1)
    }
    const onListening = ({ context }: Invitation) => {
      void start(context, 'os.kill(os.getpid(), signal.SIGTERM)')?.then(() => start(context, 'pass'))
    }
    const options = { pool: 'none', onListening, maxRetries: 0 } as const
    const result = await runProgram(python, folder.path, '', options)
    assert.equal(result.ok, true, JSON.stringify(result.tasks))
    assert.deepEqual(await Promise.all(ended), [
      [0, null],
      [0, null],
    ])
  })
})
