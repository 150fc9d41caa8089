import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { bellis, runNode, temporaryFolder } from '../support/command-line.ts'
import { type Debugger, debugProgram } from './debugger.ts'
import { parseCommand, pathOf, readDocument } from './markdown.ts'

const { blocks } = readDocument('docs/DEBUGGING.md')
const folder = temporaryFolder()
after(() => folder[Symbol.dispose]())
const project = join(folder.path, 'my-task')
/** The words of the documented commands, without the program `node`. */
const [inline, inspected, waiting, worker] = blocks
  .filter(({ mark }) => mark === 'debug')
  .map(({ text }) => parseCommand(text).words.slice(1)) as [string[], string[], string[], string[]]

before(async () => {
  assert.equal((await bellis(['new', 'my-task'], { cwd: folder.path })).code, 0)
  mkdirSync(join(project, 'node_modules'))
  symlinkSync(pathOf('.'), join(project, 'node_modules/bellis'))
  const { code, stderr } = await bellis(['sample', 'sample.hdf', '--size', '16,96,96'], { cwd: project })
  assert.equal(code, 0, stderr)
})
beforeEach(() => {
  for (const name of ['.bellis', 'out.zarr']) rmSync(join(project, name), { recursive: true, force: true })
})

const run = (args: readonly string[]) => runNode(args, { cwd: project })
const debug = (args: readonly string[]) => debugProgram(args, project)

/** Stops after the voxels have been read, and inspects them. */
async function lookAtVoxels(session: Debugger): Promise<void> {
  const lines = readFileSync(join(project, 'task.ts'), 'utf8').split('\n')
  const line = 1 + lines.findIndex((each) => each.includes('] = shape'))
  await session.breakAt('task.ts', line)
  const stop = await session.continueToStop()
  assert.ok(stop.file.endsWith('/task.ts'), stop.file)
  assert.equal(stop.line, line)
  assert.equal(await session.evaluate('data.length === shape[0] * shape[1] * shape[2]'), true)
}

describe('the guide to debugging', () => {
  it('has a command that does all blocks in one process', async () => {
    assert.ok(inline.includes('inline'))
    const { code, stdout, stderr } = await run(inline)
    assert.equal(code, 0, stderr)
    assert.match(stdout, /my-task: (\d+) of \1 blocks/)
  })

  it('has a command that stops in the task at the line of the file', async () => {
    await using session = await debug(inspected)
    await lookAtVoxels(session)
    assert.equal(await session.end(), 0)
  })

  it('has a launch configuration that also stops there', async () => {
    const launch = blocks.find(({ mark }) => mark === 'launch')
    const { configurations } = JSON.parse(launch!.text.replaceAll(/\$\{workspaceFolder\}/g, project))
    const [{ program, args, cwd }] = configurations
    assert.equal(cwd, project)
    await using session = await debug(['--inspect-brk', program, ...args])
    await lookAtVoxels(session)
    assert.equal(await session.end(), 0)
  })

  it('has commands that stop in a worker that joins a run', async () => {
    const running = run(waiting)
    const name = await untilThere(() => readdirSync(join(project, '.bellis')).find((each) => /^my-task-/.test(each)))
    await untilThere(() => readFileSync(join(project, '.bellis', name, 'context')))
    await using session = await debug(worker.map((word) => word.replace('my-task-out-edges-1a2b3c4d', name)))
    await lookAtVoxels(session)
    assert.equal(await session.end(), 0)
    assert.equal((await running).code, 0)
  })
})

/** Repeats a request until there is an answer. */
async function untilThere<Answer>(ask: () => Answer | undefined): Promise<Answer> {
  for (;;) {
    try {
      const answer = ask()
      if (answer !== undefined) return answer
    } catch {}
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
