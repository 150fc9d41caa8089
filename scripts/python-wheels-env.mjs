// Fills .cache/wheels with the packages that the Python package depends on, at the versions of python/requirements-test.txt, so
// that tests install it without a network.
//
//   node scripts/python-wheels-env.mjs
//
// Does nothing if they are there. If they can't be downloaded, prints why and exits with 0, or with 1 if the variable CI is set.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const home = join(root, '.cache', 'wheels')
const requirements = join(root, 'python', 'requirements-test.txt')
const stamp = createHash('sha256').update(readFileSync(requirements)).digest('hex')
const stampFile = join(home, '.stamp')
const isCurrent = () => existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp

if (isCurrent()) process.exit(0)
const environment = join(root, '.cache', 'python')
const python = [join(environment, 'bin', 'python'), join(environment, 'Scripts', 'python.exe')].find(existsSync)
const building = `${home}-${process.pid}`
try {
  if (python === undefined) throw new Error('there is no .cache/python')
  mkdirSync(building, { recursive: true })
  const { status, stderr } = spawnSync(
    python,
    [
      ...[
        '-m',
        'pip',
        'download',
        '--quiet',
        '--disable-pip-version-check',
        '--no-input',
        '--only-binary=:all:',
        '--no-deps',
      ],
      ...['--dest', building, '-r', requirements],
    ],
    { encoding: 'utf8' },
  )
  if (status !== 0) throw new Error(stderr.trim().split('\n').slice(-3).join('\n'))
  writeFileSync(join(building, '.stamp'), stamp)
  if (!isCurrent()) {
    rmSync(home, { recursive: true, force: true })
    renameSync(building, home)
  }
} catch (error) {
  console.log(`python-wheels-env: ${error.message}; tests of the Python package are skipped.`)
  process.exitCode = process.env.CI && !isCurrent() ? 1 : 0
} finally {
  rmSync(building, { recursive: true, force: true })
}
