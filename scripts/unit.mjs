// Runs tests with the pinned Node.
//
//   node scripts/unit.mjs                      every test (test/system and test/docs need a build)
//   node scripts/unit.mjs test/core/grid       the tests of a folder, of a file, or of a quoted glob
//   node scripts/unit.mjs --fast               the tests that need nothing but the source
//   node scripts/unit.mjs --fast --coverage    the same, with the coverage of each file of src
//
// All other flags are Node's: --test-name-pattern 'hands out', --watch, --test-only, --inspect-brk.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(fileURLToPath(import.meta.url), '../..')
const node = join(root, 'node_modules', '.bin', 'node')
/** Property tests try fewer examples in the fast tier; BELLIS_TEST_RUNS sets another number. */
const FAST_EXAMPLES = '200'
const COVERAGE = [
  '--experimental-test-coverage',
  '--test-coverage-include=src/**/*.ts',
  // It limits processor time, which counting multiplies.
  '--test-skip-pattern=without asking for each block',
]

/** Splits the words into paths of tests and flags of Node with their values. */
function parse(words) {
  const paths = []
  const flags = []
  for (const [at, word] of words.entries()) {
    const isPath = isGlob(word) || existsSync(join(root, word))
    const mayBeValue = /^--[\w-]+$/.test(words[at - 1] ?? '')
    if (word.startsWith('-') || (mayBeValue && !isPath)) flags.push(word)
    else if (isPath) paths.push(word)
    else fail(`${word}: expected a test file, a folder of tests or a quoted glob; paths start at ${root}`)
  }
  return { paths, flags }
}

const isGlob = (word) => /[*?{].*\.ts$/.test(word)

/** The tests below a folder, as paths from the root. */
const testsIn = (folder) =>
  readdirSync(join(root, folder), { recursive: true })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join(folder, name))
    .sort()

const expand = (path) => {
  if (isGlob(path) || !statSync(join(root, path)).isDirectory()) return [path]
  const tests = testsIn(path)
  return tests.length > 0 ? tests : fail(`${path}: expected a folder with *.test.ts files in it`)
}

/**
 * Whether a test runs from the source alone. Tests in system/, docs/ and clients/ run the built command. All others declare
 * what they need: they, or the files of test/ that they import, call a function named …OrSkip (for Python, a browser, a
 * database, a batch system, a mounted disk) or have a comment that starts with "Needs a build".
 */
function isFast(test, seen = new Set()) {
  if (/^test\/(system|docs|clients)\//.test(test)) return false
  if (seen.has(test)) return true
  seen.add(test)
  const source = readFileSync(join(root, test), 'utf8')
  if (/\b\w+OrSkip\(|^\/\/ Needs a build/m.test(source)) return false
  return [...source.matchAll(/^(?:import|} from) .*?'(\.[^']+\.ts)'/gm)]
    .map(([, imported]) => relative(root, resolve(root, dirname(test), imported)))
    .filter((imported) => imported.startsWith('test/'))
    .every((imported) => isFast(imported, seen))
}

function fail(message) {
  console.error(message)
  process.exit(2)
}

const words = process.argv.slice(2)
const own = ['--fast', '--coverage']
const { paths, flags } = parse(words.filter((word) => !own.includes(word)))
const all = (paths.length > 0 ? paths : ['test']).flatMap(expand)
const onlyFast = words.includes('--fast')
const tests = onlyFast ? all.filter((test) => isFast(test)) : all
if (tests.length === 0) fail('None of these tests is a fast one; leave out --fast.')
const { status } = spawnSync(
  node,
  [
    '--test',
    `--test-concurrency=${availableParallelism()}`,
    ...(words.includes('--coverage') ? COVERAGE : []),
    ...flags,
    ...tests,
  ],
  {
    cwd: root,
    stdio: 'inherit',
    env: onlyFast ? { BELLIS_TEST_RUNS: FAST_EXAMPLES, ...process.env } : process.env,
  },
)
process.exit(status ?? 1)
