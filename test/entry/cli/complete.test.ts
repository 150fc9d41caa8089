import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { complete } from '../../../src/entry/cli/completion/complete.ts'
import { flagsOfModule } from '../../../src/entry/cli/completion/module-flags.ts'
import { bellisProgram } from '../../../src/entry/cli/main.ts'
import { writeSampleFile } from '../../../src/sample/write-sample.ts'
import { temporaryFolder } from '../../support/command-line.ts'
import { stillRunning, until } from '../../support/processes.ts'
import { reportRun } from '../../support/reported-run.ts'

/** However slow the machine is, a module is loaded. */
const NEVER = new AbortController().signal

/** What can stand at the end of a line; "files" stands for the names of files. */
async function after(line: string): Promise<string[]> {
  const { candidates, takesFiles } = await complete(await bellisProgram(), line.split(' '), NEVER)
  return [...candidates.map(({ text }) => text), ...(takesFiles ? ['files'] : [])]
}

/** Calls a function in a folder of its own. */
async function inFolder(work: () => Promise<void>): Promise<void> {
  using folder = temporaryFolder()
  const previous = process.cwd()
  process.chdir(folder.path)
  try {
    await work()
  } finally {
    process.chdir(previous)
  }
}

const TWO_TASKS = `import { defineTask, z } from 'bellis'
console.log('the module is loaded')
const rest = { plan: () => { throw new Error('not to be planned') }, setup: () => { throw new Error('nor set up') } }
export default defineTask({
  name: 'sharpen',
  config: z.object({
    input: z.string().describe('dataset to sharpen'),
    output: z.string(),
    strength: z.number().default(1),
    borderMode: z.enum(['reflect', 'zero']).default('zero'),
    gentle: z.boolean().default(false),
  }),
  ...rest,
})
export const blur = defineTask({ name: 'blur', config: z.object({ radius: z.number() }), ...rest })
`
const OWN_FLAGS = ['--input', '--output', '--strength', '--border-mode', '--gentle']

const ENDLESS = `import { spawn } from 'node:child_process'
import { renameSync, writeFileSync } from 'node:fs'
const { pid } = spawn('sleep', ['600'], { detached: true, stdio: 'ignore' })
writeFileSync('pids.new', process.pid + ' ' + pid)
renameSync('pids.new', 'pids')
for (;;);
`

describe('completion', () => {
  it('offers commands, also below plan, and by their help', async () => {
    assert.deepEqual(await after('sm'), ['smooth'])
    assert.deepEqual(await after('convert'), ['convert'])
    assert.deepEqual(await after('plan th'), ['threshold', 'files'])
    const { candidates } = await complete(await bellisProgram(), ['smo'])
    assert.deepEqual(candidates, [
      { text: 'smooth', description: 'Smooths a volume with a Gaussian, equal to scipy.ndimage.gaussian_filter' },
    ])
    const [mode] = (await complete(await bellisProgram(), ['smooth', '--mod'])).candidates
    assert.equal(mode?.description, 'values outside the volume')
  })

  it('offers the flags of the command, wherever its arguments are', async () => {
    for (const line of ['smooth --mo', 'smooth a.zarr/b --sigma 2 --mo', 'plan smooth --json a b --mo']) {
      assert.deepEqual(await after(line), ['--mode'], line)
    }
    assert.deepEqual(await after('--ver'), ['--version'])
    assert.deepEqual(await after('run task.ts --task x --workers 2 --ta'), ['--task'])
    assert.deepEqual(await after('plan task.ts --tas'), ['--task'])
    assert.ok((await after('smooth --')).includes('--help'))
  })

  it('offers the choices of a value, in one word with its flag or apart, and as bash splits it', async () => {
    assert.deepEqual(await after('smooth --mode re'), ['reflect'])
    assert.deepEqual(await after('smooth --mode=re'), ['--mode=reflect'])
    assert.deepEqual(await after('smooth --mode = re'), ['reflect'])
    assert.deepEqual(await after('smooth --mode = reflect a.zarr/b --mod'), ['--mode'])
    assert.deepEqual(await after('convert --zarr-format '), ['2', '3'])
    assert.deepEqual(await after('completion '), ['bash', 'zsh', 'fish'])
  })

  it('offers files where they are expected and nothing where numbers are', async () => {
    for (const line of ['smooth ', 'smooth a ', 'info a b ', 'run ', 'plan x', 'smooth --config ', 'show --image x']) {
      assert.deepEqual((await after(line)).slice(-1), ['files'], line)
    }
    for (const line of ['smooth a b ', 'smooth --sigma ', 'smooth a b --workers ', 'sample --seed ', 'runs ']) {
      assert.deepEqual(await after(line), [], line)
    }
  })

  it("offers a module's own flags first, with their choices, for the task that is named", async () => {
    await inFolder(async () => {
      await writeSampleFile('sample.hdf', { size: [4, 32, 32], seed: 1 })
      writeFileSync('a task.ts', TWO_TASKS)
      mkdirSync('home')
      writeFileSync('home/mine.ts', TWO_TASKS)
      const { candidates } = await complete(await bellisProgram(), ['run', 'a task.ts', '--in'], NEVER)
      assert.deepEqual(candidates, [{ text: '--input', description: 'dataset to sharpen' }])
      assert.deepEqual((await after('run home/mine.ts --')).slice(0, 6), [...OWN_FLAGS, '--task'])
      assert.deepEqual(await after('plan run --quiet home/mine.ts --gent'), ['--gentle'])
      assert.deepEqual(await after('run home/mine.ts --border-mode '), ['reflect', 'zero'])
      assert.deepEqual(await after('run home/mine.ts --borderMode=z'), ['--borderMode=zero'])
      assert.deepEqual(await after('run home/mine.ts --input sample.hdf/volumes/r'), [
        'sample.hdf/volumes/raw',
        'files',
      ])
      assert.deepEqual(await after('run home/mine.ts --strength '), [])
      assert.deepEqual(await after('run home/mine.ts --task=blur --rad'), ['--radius'])
      // As bash and fish pass on what is written.
      for (const word of ['a\\ task.ts', "'a task.ts'"]) {
        const written = await complete(await bellisProgram(), ['run', word, '--gent'], NEVER)
        assert.deepEqual(
          written.candidates.map(({ text }) => text),
          ['--gentle'],
          word,
        )
      }
      const { HOME } = process.env
      process.env.HOME = join(process.cwd(), 'home')
      assert.deepEqual(await after('run ~/mine.ts --gent'), ['--gentle'])
      if (HOME === undefined) delete process.env.HOME
      else process.env.HOME = HOME
    })
  })

  it('loads no module where it needs none, and offers the flags of every run if a module has none', async () => {
    await inFolder(async () => {
      const traced = (rest: string) =>
        `import { appendFileSync } from 'node:fs'\nappendFileSync('loaded', '1')\n${rest}`
      writeFileSync('task.ts', traced(TWO_TASKS))
      for (const line of [
        'run ta',
        'run task.ts',
        'run task.ts --workers 2 ',
        'run task.ts --pool in',
        'smooth task.ts --in',
      ]) {
        await after(line)
        assert.equal(existsSync('loaded'), false, line)
      }
      assert.deepEqual(await after('run task.ts --gent'), ['--gentle'])
      assert.equal(readFileSync('loaded', 'utf8'), '1')
      writeFileSync('broken.ts', 'export default {')
      writeFileSync('exits.ts', 'process.exit(0)')
      writeFileSync(
        'lies.ts',
        "process.send?.([{ flags: '--x; rm', description: 'x' }, 7, { flags: '--y', description: 1 }])",
      )
      for (const file of ['broken.ts', 'exits.ts', 'lies.ts', "'open"]) {
        assert.deepEqual(await after(`run ${file} --tas`), ['--task'], file)
      }
    })
  })

  it('ends a module that does not come to its end, and the programs that it has started', async () => {
    await inFolder(async () => {
      writeFileSync('endless.ts', ENDLESS)
      const patience = new AbortController()
      const flags = flagsOfModule('endless.ts', { signal: patience.signal })
      const pids = await until('the module has started a program', () =>
        existsSync('pids') ? readFileSync('pids', 'utf8').split(' ').map(Number) : undefined,
      )
      assert.equal(stillRunning(pids).length, 2)
      patience.abort()
      assert.deepEqual(await flags, [])
      await until('both have ended', () => stillRunning(pids).length === 0)
    })
  })

  it('offers runs, and datasets in an HDF5 file', async () => {
    await inFolder(async () => {
      using _ = reportRun(join('.bellis', 'smooth-1a2b3c4d'), [{ shape: [1] }])
      await writeSampleFile('sample.hdf', { size: [4, 32, 32], seed: 1 })
      assert.deepEqual(await after('status '), ['last', 'smooth-1a2b3c4d', 'files'])
      assert.deepEqual(await after('reset --failed smo'), ['smooth-1a2b3c4d', 'files'])
      assert.deepEqual(await after('info sample.hdf/volumes/r'), ['sample.hdf/volumes/raw', 'files'])
      assert.deepEqual(await after('info sample.hdf/volumes/none'), ['files'])
      assert.deepEqual(await after('info task.ts/x'), ['files'])
    })
  })
})
