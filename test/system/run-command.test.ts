import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { bellis, hashVoxels, temporaryFolder } from '../support/command-line.ts'
import { SMOOTHED, sampleForAll } from '../support/smoothed-sample.ts'

const examples = fileURLToPath(new URL('../../examples/', import.meta.url))
const raw = sampleForAll()

/** A folder with modules, outside any package. */
function folderWith(files: Readonly<Record<string, string>>): ReturnType<typeof temporaryFolder> {
  const folder = temporaryFolder()
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder.path, name, '..'), { recursive: true })
    writeFileSync(join(folder.path, name), text)
  }
  return folder
}

async function run(args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = {}) {
  const result = await bellis(args, { cwd, env })
  assert.equal(result.code, 0, result.stderr)
  return result
}

/** A task with a block per number; each block adds a line to a file. */
const recording = (name: string, exported = 'export default') => `
  import { appendFileSync } from 'node:fs'
  import { defineTask, roi, z } from 'bellis'
  ${exported} defineTask({
    name: '${name}',
    config: z.object({ text: z.string().default('nothing'), times: z.number().int().default(1), loud: z.boolean().default(false) }),
    plan: () => ({ totalRoi: roi([0], [2]), readRoi: roi([0], [1]), writeRoi: roi([0], [1]), readWriteConflict: false }),
    setup: ({ text, times, loud }) => () => appendFileSync('ran', '${name} ' + (loud ? text.toUpperCase() : text).repeat(times) + ';'),
  })`
const withoutImports = (text: string) => text.replaceAll(/import .*\n/g, '')
const quick = ['--workers', '1', '--quiet']
const textOf = (folder: string) => readFileSync(join(folder, 'ran'), 'utf8')

describe('bellis run', () => {
  it("bellis run runs a task's file without an installation, on worker processes and threads, equal to SciPy", async () => {
    for (const pool of ['process', 'thread']) {
      using folder = temporaryFolder()
      cpSync(join(examples, 'smooth.ts'), join(folder.path, 'smooth.ts'))
      const config = ['--input', raw, '--output', 'out.zarr/s', '--sigma', '2']
      const { stdout } = await run(['run', 'smooth.ts', ...config, '--workers', '2', '--pool', pool], folder.path)
      assert.match(stdout, /GaussianSmoothing: 9 of 9 blocks/)
      assert.equal(await hashVoxels(join(folder.path, 'out.zarr/s')), SMOOTHED)
    }
  })

  it('bellis run runs a file of another folder; paths of its configuration are relative to the working directory', async () => {
    using elsewhere = temporaryFolder()
    const args = ['--input', raw, '--output', 'out.zarr/s', '--workers', '1', '--quiet']
    await run(['run', join(examples, 'smooth.ts'), ...args], elsewhere.path)
    assert.deepEqual(readdirSync(elsewhere.path).sort(), ['.bellis', 'out.zarr'])
  })

  it('bellis run takes a field from its flag, otherwise the environment, otherwise the file, otherwise the default', async () => {
    using folder = folderWith({ 'task.ts': recording('t'), 'c.json': '{ "text": "file", "times": 2 }' })
    const env = { BELLIS_CONFIG_TEXT: 'env' }
    await run(['run', 'task.ts', ...quick], folder.path)
    await run(['run', 'task.ts', '--config', 'c.json', ...quick], folder.path)
    await run(['run', 'task.ts', '--config', 'c.json', ...quick], folder.path, env)
    await run(['run', ...quick, 'task.ts', '--config', 'c.json', '--text', 'flag', '--loud'], folder.path, env)
    const ran = ['nothing', 'filefile', 'envenv', 'FLAGFLAG']
    assert.equal(textOf(folder.path), ran.map((text) => `t ${text};`.repeat(2)).join(''))
  })

  it('bellis run names the flag, the variable or the file that an invalid value comes from', async () => {
    using folder = folderWith({ 'task.ts': recording('t'), 'c.json': '{ "text": 5 }', 'd.json': '{ "txt": "a" }' })
    for (const [args, env, message] of [
      [['--times', 'x'], {}, /--times "x": /],
      [[], { BELLIS_CONFIG_TIMES: '1.5' }, /BELLIS_CONFIG_TIMES 1\.5: /],
      [['--config', 'c.json'], {}, /"text" of c\.json 5: /],
      [['--config', 'd.json'], {}, /there is no "txt" of d\.json; the fields are text, times, loud/],
      [['--tmies', '2'], {}, /unknown option '--tmies' \(Did you mean --times\?\)/],
    ] as const) {
      const { code, stderr } = await bellis(['run', 'task.ts', ...args], { cwd: folder.path, env })
      assert.equal(code, 2)
      assert.match(stderr, message)
      assert.match(stderr, /^bellis: [^\n]*\n$/)
    }
    assert.equal(existsSync(join(folder.path, '.bellis')), false)
  })

  it('bellis run chooses among several tasks by --task, and lists them if it is missing', async () => {
    const several = `${recording('one', 'export const first =')}\n${withoutImports(recording('two', 'export const second ='))}`
    using folder = folderWith({ 'tasks.ts': several })
    const { code, stderr } = await bellis(['run', 'tasks.ts'], { cwd: folder.path })
    assert.equal(code, 2)
    assert.match(stderr, /exports several tasks and no default; choose one with --task: first, second\./)
    await run(['run', 'tasks.ts', '--task', 'second', ...quick], folder.path)
    await run(['run', 'tasks.ts', '--task=one', ...quick], folder.path)
    assert.equal(textOf(folder.path), 'two nothing;two nothing;one nothing;one nothing;')
    const unknown = await bellis(['run', 'tasks.ts', '--task', 'three'], { cwd: folder.path })
    assert.match(unknown.stderr, /tasks\.ts exports no task "three"; it exports first, second\./)
  })

  it('bellis run runs a module of an installed package, and the built-in tasks', async () => {
    using folder = folderWith({
      'node_modules/some-package/package.json': '{ "type": "module", "exports": { "./task": "./lib/task.js" } }',
      'node_modules/some-package/lib/task.js': recording('packed'),
      'node_modules/typed/package.json': '{ "type": "module", "exports": "./task.ts" }',
      'node_modules/typed/task.ts': recording('typed'),
    })
    await run(['run', 'some-package/task', '--text', 'a', ...quick], folder.path)
    assert.equal(textOf(folder.path), 'packed a;packed a;')
    const typed = await bellis(['run', 'typed'], { cwd: folder.path })
    assert.equal(typed.code, 2)
    assert.match(typed.stderr, /TypeScript inside node_modules.*has to publish JavaScript/)
    const config = ['--input', raw, '--output', 'out.zarr/s', '--sigma', '2']
    await run(['run', 'bellis/tasks', '--task', 'smooth', ...config, '--workers', '2', '--quiet'], folder.path)
    assert.equal(await hashVoxels(join(folder.path, 'out.zarr/s')), SMOOTHED)
  })

  it('bellis run FILE --help shows the fields of the module', async () => {
    using folder = folderWith({ 'task.mjs': recording('t') })
    const { stdout } = await run(['run', 'task.mjs', '--help'], folder.path)
    assert.match(
      stdout,
      /^Usage: bellis run task\.mjs \[options\]\n\nTask "t" of task\.mjs\.\n\nConfiguration:\n {2}--text <text>/,
    )
    assert.match(stdout, /--times <n> +\(default: 1\)/)
    assert.match(stdout, /--workers <n>/)
  })
})

describe('bellis plan', () => {
  it('bellis plan takes the arguments of a run, and writes nothing', async () => {
    using folder = temporaryFolder()
    const task = [join(examples, 'smooth.ts'), '--input', raw, '--output', 'out.zarr/s']
    for (const words of [['plan'], ['plan', 'run']]) {
      const { stdout } = await run([...words, ...task, '--json'], folder.path)
      const { tasks } = JSON.parse(stdout)
      assert.deepEqual([tasks.length, tasks[0].id, tasks[0].blocks], [1, 'GaussianSmoothing', 9])
    }
    const { stdout } = await run(['plan', ...task], folder.path)
    assert.match(stdout, /nothing was written/)
    assert.deepEqual(readdirSync(folder.path), [])
    const typo = await bellis(['plan', 'smoth', 'a', 'b'], { cwd: folder.path })
    assert.equal(typo.code, 2)
    assert.match(typo.stderr, /^bellis: unknown command 'smoth' \(Did you mean smooth\?\)\n$/)
  })
})
