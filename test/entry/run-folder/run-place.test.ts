import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, renameSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { describe, it } from 'node:test'
import { createArray } from '../../../src/entry/arrays.ts'
import { planTasks, runBlockwise } from '../../../src/entry/run.ts'
import { findRunFolder } from '../../../src/entry/run-folder/run-context.ts'
import { runFolder } from '../../../src/entry/run-folder/run-place.ts'
import { convert } from '../../../src/entry/tasks.ts'
import { nameTasks } from '../../../src/runtime/tasks/pipeline-name.ts'
import { temporaryFolder } from '../../support/command-line.ts'

describe('the folder of a run', () => {
  it('is named by what runs and what it writes, and found by its last digits whatever its name begins with', async () => {
    using folder = temporaryFolder()
    const input = join(folder.path, 'in.zarr')
    await (await createArray(input, { shape: [8, 8, 8], dtype: 'uint8' })).close()
    const runDir = join(folder.path, 'runs')
    const tasks = [convert({ input, output: join(folder.path, 'out.zarr/raw') })]
    const run = () => runBlockwise(tasks, { pool: 'thread', workers: 1, runDir })
    assert.equal((await run()).tasks[0]?.skipped, 0)
    const [name = ''] = readdirSync(runDir)
    assert.match(name, /^convert-out-raw-[0-9a-f]{8}$/)

    // As version 0.1.0 named it.
    const suffix = name.slice(-9)
    renameSync(join(runDir, name), join(runDir, `convert${suffix}`))
    mkdirSync(join(runDir, `.tmp-1${suffix}`))
    const again = await run()
    assert.deepEqual([again.ok, again.tasks[0]?.skipped], [true, 1])
    assert.deepEqual(readdirSync(runDir).sort(), [`.tmp-1${suffix}`, `convert${suffix}`])

    assert.equal(findRunFolder(suffix.slice(1), runDir), join(runDir, `convert${suffix}`))
  })

  it('does not depend on the region, and is found by a name of version 0.1.0, which did', async () => {
    using folder = temporaryFolder()
    const input = join(folder.path, 'in.zarr')
    await (await createArray(input, { shape: [8, 8, 8], dtype: 'uint8' })).close()
    const runDir = join(folder.path, 'runs')
    const output = join(folder.path, 'out.zarr/raw')
    const nameOf = async (region: object) =>
      basename(runFolder(await planTasks([convert({ input, output, ...region })]), { runDir }))
    const roi = '0:4,0:8,0:8'
    const name = await nameOf({ roi })
    assert.equal(await nameOf({}), name)
    assert.notEqual(await nameOf({ codec: 'raw' }), name)

    const config = { codec: 'zstd:3', input, output, roi, zarrFormat: 3 }
    const tasks = [{ after: [], config, id: 'convert', name: 'convert' }]
    const hash = createHash('sha256')
      .update(JSON.stringify({ from: relative(runDir, '.'), tasks }))
      .digest('hex')
    const earlier = `convert-out-raw-${hash.slice(0, 8)}`
    mkdirSync(join(runDir, earlier), { recursive: true })
    assert.equal(await nameOf({ roi }), earlier)
    assert.equal(await nameOf({}), name)
    mkdirSync(join(runDir, name))
    assert.equal(await nameOf({ roi }), name)
  })

  it('is found by an output, or by a part of one that no other run writes, also if a folder has that path', async () => {
    using folder = temporaryFolder()
    const input = join(folder.path, 'in.zarr')
    await (await createArray(input, { shape: [8, 8, 8], dtype: 'uint8' })).close()
    const runDir = join(folder.path, 'runs')
    const outputs = ['good/bright', 'good/dark', 'better/bright'].map((name) => join(folder.path, 'out.zarr', name))
    for (const output of outputs)
      await runBlockwise([convert({ input, output })], { pool: 'thread', workers: 1, runDir })
    const nameOf = (run: string) => basename(findRunFolder(run, runDir)).slice(0, -9)
    const [bright = '', dark = '', better = ''] = outputs
    assert.equal(nameOf(dark), 'convert-out-dark')
    assert.equal(findRunFolder(relative('.', bright), runDir), findRunFolder(`${bright}/`, runDir))
    assert.notEqual(findRunFolder(bright, runDir), findRunFolder(better, runDir))
    assert.equal(findRunFolder('zarr/better', runDir), findRunFolder(better, runDir))
    assert.equal(findRunFolder('./zarr/better/', runDir), findRunFolder(better, runDir))
    assert.throws(() => findRunFolder('good', runDir), {
      code: 'INVALID_CONFIG',
      message:
        /^good: expected one run, but 2 have it in the path of an output; write one of these names: convert-out-\S+, convert-out-\S+$/,
    })
    assert.throws(() => findRunFolder('worst', runDir), { code: 'NO_SUCH_FILE' })
    assert.throws(() => findRunFolder('', runDir), {
      code: 'INVALID_CONFIG',
      message: /^A run: expected its name or folder, got ""; .* runs lists the runs\.$/,
    })
    for (const run of ['.', '..', '../'])
      assert.throws(() => findRunFolder(run, runDir), {
        code: 'NO_SUCH_FILE',
        message: /^\.\.?\/?: expected a run, got a folder that is none; /,
      })
  })

  it('is found by the last part of its output rather than by what other names have inside', async () => {
    using folder = temporaryFolder()
    const input = join(folder.path, 'in.zarr')
    await (await createArray(input, { shape: [8, 8, 8], dtype: 'uint8' })).close()
    const runDir = join(folder.path, 'runs')
    const write = async (name: string) => {
      const before = readdirSync(folder.path).includes('runs') ? readdirSync(runDir) : []
      const output = join(folder.path, 'out.zarr', name)
      await runBlockwise([convert({ input, output })], { pool: 'inline', workers: 1, runDir })
      return readdirSync(runDir).find((run) => !before.includes(run)) as string
    }
    const other = await write('raw')
    const part = other.slice(-8, -4)
    assert.equal(basename(findRunFolder(part, runDir)), other)
    const meant = await write(part)
    assert.equal(basename(findRunFolder(part, runDir)), meant)
  })

  it('is that of its name if it is damaged, not another one whose name or output contains it', async () => {
    using folder = temporaryFolder()
    const input = join(folder.path, 'in.zarr')
    await (await createArray(input, { shape: [8, 8, 8], dtype: 'uint8' })).close()
    const runDir = join(folder.path, 'runs')
    const output = join(folder.path, 'damaged.zarr')
    await runBlockwise([convert({ input, output })], { pool: 'thread', workers: 1, runDir })
    mkdirSync(join(runDir, 'damaged'))
    assert.equal(findRunFolder('damaged', runDir), join(runDir, 'damaged'))
  })

  it('has the name of the pipeline, or else of its tasks: the last ones only, if it has many', async () => {
    using folder = temporaryFolder()
    const at = (name: string) => join(folder.path, name)
    await (await createArray(at('in.zarr'), { shape: [8, 8, 8], dtype: 'uint8' })).close()
    const first = convert({ input: at('in.zarr'), output: at('a.zarr') }, { id: 'first' })
    const second = convert({ input: at('a.zarr'), output: at('b.zarr/x') }, { id: 'second', after: [first] })
    const nameOf = async (tasks: Parameters<typeof planTasks>[0]) =>
      runFolder(await planTasks(tasks), { runDir: folder.path }).slice(folder.path.length + 1, -9)
    assert.equal(await nameOf([first, second]), 'first+second-b-x')
    const third = convert(
      { input: at('b.zarr/x'), output: at('c.zarr') },
      { id: 'a-third-task-as-well', after: [second] },
    )
    assert.equal(await nameOf([first, second, third]), 'a-third-task-as-well-c')
    assert.equal(await nameOf(nameTasks([first, second], 'both ways')), 'both-ways-b-x')
  })
})
