import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { temporaryFolder } from '../support/command-line.ts'
import { pythonOrSkip } from '../support/python.ts'

const run = promisify(execFile)
const client = fileURLToPath(new URL('../../clients/python/', import.meta.url))

describe('the Python client', () => {
  it('passes its own tests', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    const { stderr } = await run(python, ['-B', '-m', 'unittest', 'test_bellis'], { cwd: client, timeout: 60_000 })
    assert.match(stderr, /Ran \d+ tests[\s\S]*OK/)
  })

  it('is completely typed, and uses only the syntax of Python 3.9', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    using folder = temporaryFolder()
    const check = ['-m', 'mypy', '--strict', '--cache-dir', folder.path, 'bellis.py']
    const { stdout } = await run(python, check, { cwd: client, timeout: 60_000 })
    assert.match(stdout, /^Success: no issues found in 1 source file/)
    // This checks the grammar only, not the use of newer libraries.
    const parse = 'import ast, sys; ast.parse(open(sys.argv[1]).read(), feature_version=(3, 9))'
    await run(python, ['-c', parse, join(client, 'bellis.py')])
  })

  it('is installed by pip without any other package', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    using folder = temporaryFolder()
    const [source, target] = [join(folder.path, 'source'), join(folder.path, 'target')]
    cpSync(client, source, { recursive: true })
    const flags = ['--quiet', '--no-deps', '--no-index', '--disable-pip-version-check']
    await run(python, ['-m', 'pip', 'install', ...flags, '--target', target, source], { timeout: 60_000 })
    const script = 'import bellis; print(bellis.__file__, bellis.__version__)'
    const { stdout } = await run(python, ['-c', script], {
      env: { ...process.env, PYTHONPATH: target },
      cwd: folder.path,
    })
    assert.equal(stdout.trim(), `${join(target, 'bellis.py')} 0.1.0`)
  })
})
