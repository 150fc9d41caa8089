import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { pythonOrSkip } from './python.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../../', import.meta.url))
const wheels = join(root, '.cache', 'wheels')
const NODE_PROGRAMS: ReadonlySet<string> = new Set(['node', 'nodejs', 'npm', 'npx', 'bellis'])

/** A virtual environment with the Python package. */
export interface InstalledPackage {
  readonly python: string
  /** Its folder of programs. */
  readonly bin: string
  /** That folder first on the PATH, and no other Bellis or Node. */
  readonly env: NodeJS.ProcessEnv
}

/**
 * Builds the wheel from the built dist/ and installs it in a new virtual environment, without a network.
 * @param guests a Python whose packages it can import, too
 * @returns undefined, after skipping the test, if the packages that it needs are not in .cache/wheels
 */
export async function installPackageOrSkip(
  t: { skip(message?: string): void },
  folder: string,
  guests?: string,
): Promise<InstalledPackage | undefined> {
  const python = pythonOrSkip(t)
  if (python === undefined) return undefined
  const stamp = join(wheels, '.stamp')
  const requirements = readFileSync(join(root, 'python', 'requirements-test.txt'))
  const wanted = createHash('sha256').update(requirements).digest('hex')
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
    const message = 'no packages in .cache/wheels; download them with: node scripts/python-wheels-env.mjs'
    if (process.env.CI) throw new Error(message)
    t.skip(message)
    return undefined
  }
  const { stdout } = await run(process.execPath, [join(root, 'scripts', 'build-python.mjs'), '--to', folder])
  const wheel = stdout.split(':', 1)[0] as string
  const venv = join(folder, 'venv')
  // The pip of the other environment installs: a second one takes seconds to set up.
  await run(python, ['-m', 'venv', '--without-pip', venv])
  const bin = join(venv, 'bin')
  const own = join(bin, 'python')
  const quietly = ['--quiet', '--disable-pip-version-check', '--no-input', '--no-compile']
  await run(python, [
    '-m',
    'pip',
    '--python',
    own,
    'install',
    ...quietly,
    '--no-index',
    '--find-links',
    wheels,
    `${wheel}[progress]`,
  ])
  // It needs NumPy, which is among the libraries.
  const alone = ['--no-deps', '--no-index', '--find-links', wheels, 'funlib.geometry']
  await run(python, ['-m', 'pip', '--python', own, 'install', ...quietly, ...alone])
  offerLibraries(
    venv,
    [python, ...(guests === undefined ? [] : [guests])].map((each) => dirname(dirname(each))),
  )
  const { PYTHONPATH: _, BELLIS_CONTEXT: __, BELLIS_NODE: ___, ...env } = process.env
  const programs = withoutNode((process.env.PATH ?? '').split(delimiter), join(folder, 'programs'))
  return { python: own, bin, env: { ...env, PATH: [bin, ...programs].join(delimiter) } }
}

/** A PATH without Node: a folder that has it, which may be the shell's, too, is replaced by one of links to all others. */
function withoutNode(path: readonly string[], links: string): string[] {
  return path.map((each, index) => {
    if (!existsSync(join(each, 'node'))) return each
    const others = join(links, String(index))
    mkdirSync(others, { recursive: true })
    for (const name of readdirSync(each)) {
      if (!NODE_PROGRAMS.has(name)) symlinkSync(join(each, name), join(others, name))
    }
    return others
  })
}

/** Lets the new environment import libraries that are installed once. */
function offerLibraries(venv: string, others: readonly string[]): void {
  const packages = (home: string) => {
    const version = readdirSync(join(home, 'lib')).find((name) => name.startsWith('python3')) as string
    return join(home, 'lib', version, 'site-packages')
  }
  writeFileSync(join(packages(venv), 'libraries.pth'), others.map((other) => `${packages(other)}\n`).join(''))
}
