// Creates a virtual environment with the libraries that tests compare Bellis with (.cache/python, test/support/requirements.txt),
// that benchmarks do (.cache/peers, bench/peers/requirements.txt), or that run on the Python package (.cache/guests,
// python/requirements-guests.txt; with the source distributions whose tests are run). Building and running Bellis needs none.
//
//   node scripts/python-env.mjs [--peers | --guests]
//
// Runs on Node 18 or newer. Does nothing if the environment exists and has the same requirements.
// Without a suitable Python, prints why and exits with 0, or with 1 if the variable CI is set.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const cache = join(root, '.cache')
const KINDS = {
  python: {
    list: ['test', 'support', 'requirements.txt'],
    skipped: "tests that compare with Python's libraries are skipped",
  },
  peers: { list: ['bench', 'peers', 'requirements.txt'], skipped: 'benchmarks run without other libraries' },
  guests: {
    list: ['python', 'requirements-guests.txt'],
    skipped: 'tests that run other packages on the Python package are skipped',
    // All are listed, except for those that are replaced.
    flags: ['--no-deps'],
    sources: ['daisy==1.2.3', 'volara==1.0.5'],
  },
}
const name = Object.keys(KINDS).find((kind) => process.argv.includes(`--${kind}`)) ?? 'python'
const { list, skipped, flags = [], sources = [] } = KINDS[name]
const home = join(cache, name)
const requirements = join(root, ...list)
const stamp = createHash('sha256').update(readFileSync(requirements)).digest('hex')
const pythonIn = (folder) =>
  process.platform === 'win32' ? join(folder, 'Scripts', 'python.exe') : join(folder, 'bin', 'python')

/** Ends the script: a developer's tests are skipped without Python, but CI must not pass without it. */
function giveUp(reason) {
  console.log(`python-env: ${reason}; ${skipped}.`)
  process.exit(process.env.CI ? 1 : 0)
}

const isCurrent = () => {
  const stampFile = join(home, '.stamp')
  return existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp && existsSync(pythonIn(home))
}

/** The first Python that is new enough for the pinned libraries and can create a virtual environment. */
function findPython() {
  const fits = 'import sys, venv, ensurepip; sys.exit(0 if sys.version_info >= (3, 11) else 1)'
  const names = process.platform === 'win32' ? ['python', 'py'] : ['python3', 'python3.11', 'python3.12', 'python3.13']
  return names.find((name) => spawnSync(name, ['-c', fits], { stdio: 'ignore' }).status === 0)
}

function run(command, args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' })
  if (status === 0) return
  const lastLines = `${error?.message ?? ''}${stderr ?? ''}${stdout ?? ''}`.trim().split('\n').slice(-5).join('\n')
  throw new Error(`${command} ${args.join(' ')} failed:\n${lastLines}`)
}

/** The message of the error that an action throws, if it throws. */
function attempt(action) {
  try {
    action()
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** Removes what killed runs have left; no build takes an hour. */
function removeLeftovers() {
  for (const entry of readdirSync(cache)) {
    const path = join(cache, entry)
    if (!entry.startsWith(`${name}-`) || Date.now() - statSync(path).mtimeMs < 3_600_000) continue
    rmSync(path, { recursive: true, force: true })
  }
}

if (isCurrent()) process.exit(0)
const python = findPython()
if (python === undefined) giveUp('found no python3 of version 3.11 or newer with venv')

mkdirSync(cache, { recursive: true })
removeLeftovers()
// Built under another name and renamed: concurrent or killed runs never leave an incomplete environment.
const building = join(cache, `${name}-${process.pid}`)
const failure = attempt(() => {
  run(python, ['-m', 'venv', building])
  const quietly = ['--quiet', '--disable-pip-version-check', '--no-input']
  run(pythonIn(building), [
    ...['-m', 'pip', 'install', ...quietly, '--only-binary=:all:', '--no-compile', ...flags],
    ...['-r', requirements],
  ])
  if (sources.length > 0) {
    run(pythonIn(building), [
      ...['-m', 'pip', 'download', ...quietly, '--no-deps', '--no-binary=:all:', '--no-build-isolation'],
      ...['--dest', join(building, 'sources'), ...sources],
    ])
  }
  writeFileSync(join(building, '.stamp'), stamp)
  if (isCurrent()) return
  // The old one is renamed before it is removed: another run may do the same at this moment.
  const old = `${building}-old`
  if (existsSync(home)) renameSync(home, old)
  rmSync(old, { recursive: true, force: true })
  renameSync(building, home)
})
rmSync(building, { recursive: true, force: true })
if (failure !== undefined && !isCurrent()) giveUp(failure)
