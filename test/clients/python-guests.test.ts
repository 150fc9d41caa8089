import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { readDocument } from '../docs/markdown.ts'
import { temporaryFolder } from '../support/command-line.ts'
import { guestsOrSkip } from '../support/python.ts'
import { type InstalledPackage, installPackageOrSkip } from '../support/python-package.ts'

const run = promisify(execFile)
const pathOf = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url))

interface Diagnostic {
  readonly severity: string
  readonly message: string
  readonly range: { readonly start: { readonly line: number } }
}

/** The comments at the ends of lines, by line from 1. */
const commentsOf = (script: string): ReadonlyMap<number, string> =>
  new Map(
    script.split('\n').flatMap((line, at) => {
      const comment = /\S {2}# (.*)$/.exec(line)?.[1]
      return comment === undefined ? [] : [[at + 1, comment]]
    }),
  )

// What Daisy's tests of 1.2.3 ask of its own wire and processes, which is not part of its interface.
const WIRE = [
  'tests/test_client.py',
  'tests/test_tcp.py',
  'tests/test_dead_workers.py::test_reap_distinguishes_normal_from_crash',
]
// Volara's tests that have fixtures of their own, which its source distribution does not contain, and those that run for minutes.
const LEFT_OUT = 'bulk or fake_s3'

describe('packages on the Python package', { timeout: 880_000 }, () => {
  const folder = temporaryFolder()
  let guests: string | undefined
  let installed: InstalledPackage | undefined
  let whyNot = ''
  before(async () => {
    const skip = (message = '') => {
      whyNot = message
    }
    guests = guestsOrSkip({ skip })
    if (guests !== undefined) installed = await installPackageOrSkip({ skip }, folder.path, guests)
  })
  after(() => folder[Symbol.dispose]())

  const skipped = (t: TestContext): boolean => {
    if (installed !== undefined) return false
    t.skip(whyNot)
    return true
  }

  /** An empty folder, and what runs programs of the environment in it. */
  function placeOf(name: string) {
    const { bin, env } = installed as InstalledPackage
    const path = join(folder.path, name)
    mkdirSync(path)
    const inside = (program: string, args: readonly string[], more: NodeJS.ProcessEnv = {}) =>
      run(join(bin, program), args, { cwd: path, env: { ...env, ...more }, maxBuffer: 1e8 }).catch((error) => {
        throw new Error(`${error.message}\n${error.stdout}`, { cause: error })
      })
    return { path, inside }
  }

  /** The tests of a package, as its source distribution has them, with files of our own that it lacks. */
  async function testsOf(distribution: string, name: string, own: string) {
    const place = placeOf(name)
    const sources = join(dirname(dirname(guests as string)), 'sources')
    await run('tar', ['xzf', join(sources, `${distribution}.tar.gz`), '-C', place.path, '--strip-components=1'])
    const tests = join(place.path, 'tests')
    cpSync(pathOf(own), tests, { recursive: true })
    // Nothing but the tests: the package itself is not to be imported from here.
    for (const entry of readdirSync(place.path)) {
      if (entry !== 'tests') await run('rm', ['-r', join(place.path, entry)])
    }
    return place
  }
  const PYTEST = ['-m', 'bellis.daisy', '-m', 'pytest', '-q', '-p', 'no:cacheprovider']

  it("passes Daisy's own tests of 1.2.3 as they are, but for three about its wire", async (t) => {
    if (skipped(t)) return
    const { inside } = await testsOf('daisy-1.2.3', 'daisy', 'python/guests/daisy')
    const deselected = WIRE.map((test) => (test.includes('::') ? `--deselect=${test}` : `--ignore=${test}`))
    const { stdout } = await inside('python', [...PYTEST, ...deselected, 'tests'])
    assert.match(stdout, /^26 passed, 1 deselected/m)
  })

  it("passes volara's own tests of 1.0.5 as they are", async (t) => {
    if (skipped(t)) return
    const { path, inside } = await testsOf('volara-1.0.5', 'volara-tests', 'python/guests/volara')
    const { bin, env, python } = installed as InstalledPackage
    // Its workers are started as a command, which pip would have written.
    const command = join(path, 'volara-cli')
    writeFileSync(command, `#!${python}\nfrom volara.cli import cli\ncli()\n`, { mode: 0o755 })
    const call = [...PYTEST, '-k', `not (${LEFT_OUT})`, 'tests']
    const { stdout } = await inside('python', call, { PATH: [path, bin, env.PATH].join(delimiter) })
    assert.match(stdout, /^1\d\d passed, \d+ skipped, \d+ deselected/m)
  })

  it('runs a pipeline of volara as it is, which is killed and continues', async (t) => {
    if (skipped(t)) return
    const { path, inside } = placeOf('volara')
    const script = pathOf('python/guests/volara/pipeline.py')
    await assert.rejects(
      inside('python', [script, '7']),
      ({ cause }) => (cause as { signal: string }).signal === 'SIGKILL',
    )
    const before = readdirSync(join(path, 'done'))
    assert.ok(before.length >= 7 && before.length <= 9, String(before.length))
    const { stdout } = await inside('python', [script])
    assert.match(stdout, /^right \d+$/m)
    const all = readdirSync(join(path, 'done')).map((name) => name.split('-')[0])
    assert.equal(new Set(all).size, 18)
    // A block that was running when the program was killed may be done again.
    assert.ok(all.length <= 18 + 2, String(all.length))
  })

  it('runs the examples', async (t) => {
    if (skipped(t)) return
    const { path, inside } = placeOf('examples')
    for (const name of ['smooth', 'chain', 'model', 'cells'])
      cpSync(pathOf(`examples/python/${name}.py`), join(path, `${name}.py`))
    await inside('bellis', ['sample', 'my.hdf', '--size', '40,72,80', '--seed', '7', '--quiet'])
    await inside('bellis', ['convert', 'my.hdf/volumes/raw', 'my.zarr/raw', '--workers', '1', '--quiet'])
    await inside('python', [pathOf('python/guests/check_examples.py')])
  })

  it('runs the notebook', async (t) => {
    if (skipped(t)) return
    const { path, inside } = placeOf('notebook')
    const script = `import nbformat, nbclient
notebook = nbformat.read("${pathOf('examples/python/notebook.ipynb')}", as_version=4)
nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
tables = [output.data["text/html"] for cell in notebook.cells if cell.cell_type == "code"
          for output in cell.outputs if output.output_type == "execute_result" and "text/html" in output.data]
assert len(tables) == 1 and "<td>smooth</td>" in tables[0], tables
`
    writeFileSync(join(path, 'run.py'), script)
    await inside('python', ['run.py'], { JUPYTER_PATH: kernelOf(path), IPYTHONDIR: join(path, 'ipython') })
  })

  /** A kernel that is the Python of the environment. */
  function kernelOf(path: string): string {
    const kernel = join(path, 'jupyter', 'kernels', 'python3')
    mkdirSync(kernel, { recursive: true })
    const argv = [(installed as InstalledPackage).python, '-m', 'ipykernel_launcher', '-f', '{connection_file}']
    writeFileSync(join(kernel, 'kernel.json'), JSON.stringify({ argv, display_name: 'Python 3', language: 'python' }))
    return join(path, 'jupyter')
  }

  it('agrees with dask, as docs/COMING-FROM-DASK.md shows', async (t) => {
    if (skipped(t)) return
    const { path, inside } = placeOf('dask')
    const { blocks } = readDocument('docs/COMING-FROM-DASK.md')
    const shown = blocks.filter(({ mark }) => mark === 'dask').map(({ text }) => text)
    assert.equal(shown.length, 2)
    await inside('bellis', ['sample', 'my.hdf', '--size', '32,64,64', '--seed', '7', '--quiet'])
    await inside('bellis', ['convert', 'my.hdf/volumes/raw', 'raw.zarr', '--workers', '1', '--quiet'])
    const check = `import zarr
theirs, ours = (zarr.open_array(name, mode="r")[:] for name in ("theirs.zarr", "ours.zarr"))
assert (theirs == ours).all() and theirs.any()`
    writeFileSync(join(path, 'shown.py'), [...shown, check].join('\n'))
    await inside('python', ['shown.py'])
  })

  it('has types with which two checkers report wrong options in a script, and nothing else', async (t) => {
    if (skipped(t)) return
    const { path, inside } = placeOf('typed')
    const script = readFileSync(pathOf('python/guests/typed_script.py'), 'utf8')
    writeFileSync(join(path, 'script.py'), script)
    const marked = commentsOf(script)
    const wrong = [...marked].filter(([, comment]) => comment === 'wrong').map(([line]) => line)
    const revealed = [...marked].filter(([, comment]) => comment !== 'wrong')
    assert.ok(wrong.length > 20 && revealed.length > 20)

    const mypy = await inside('python', ['-m', 'mypy', '--strict', '--cache-dir', '.mypy', 'script.py']).catch(
      ({ cause }) => cause as { stdout: string },
    )
    const found = [...mypy.stdout.matchAll(/^script\.py:(\d+): (error|note): (.*)$/gm)]
    assert.deepEqual([...new Set(found.flatMap(([, line, kind]) => (kind === 'error' ? [Number(line)] : [])))], wrong)
    const types = found.flatMap(([, line, , text = '']) => {
      const type = /^Revealed type is "(.*)"$/.exec(text)?.[1]
      return type === undefined ? [] : [[Number(line), type.replace(/^[\w.]+\.(?=\w+$)/, '')]]
    })
    assert.deepEqual(types, revealed)

    writeFileSync(
      join(path, 'pyrightconfig.json'),
      JSON.stringify({ include: ['script.py'], typeCheckingMode: 'strict' }),
    )
    const { python } = installed as InstalledPackage
    const call = ['-m', 'basedpyright', '--outputjson', '-p', 'pyrightconfig.json', '--pythonpath', python]
    const pyright = await inside('python', call).catch(({ cause }) => cause as { stdout: string })
    const { generalDiagnostics } = JSON.parse(pyright.stdout) as { generalDiagnostics: readonly Diagnostic[] }
    const of = (severity: string) => generalDiagnostics.filter((each) => each.severity === severity)
    const lineOf = ({ range }: Diagnostic) => range.start.line + 1
    assert.deepEqual([...new Set(of('error').map(lineOf))], wrong)
    const shown = of('information').map((each) => [lineOf(each), /" is "(.*)"$/s.exec(each.message)?.[1]])
    assert.deepEqual(shown, revealed)
  })

  it('is completely typed for a second checker, too', async (t) => {
    if (skipped(t)) return
    const { path, inside } = placeOf('types')
    const { python } = installed as InstalledPackage
    const { stdout: found } = await inside('python', ['-c', 'import bellis; print(bellis.__path__[0])'])
    const settings = { include: [found.trim()], exclude: ['**/_engine'], typeCheckingMode: 'standard' }
    writeFileSync(join(path, 'pyrightconfig.json'), JSON.stringify(settings))
    const { stdout } = await inside('python', [
      '-m',
      'basedpyright',
      '-p',
      'pyrightconfig.json',
      '--pythonpath',
      python,
    ])
    assert.match(stdout, /^0 errors/m)
  })
})
