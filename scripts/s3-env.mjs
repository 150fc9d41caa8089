// Builds the Versity S3 Gateway, a real S3 server on a folder, for the tests, in .cache/versitygw-<hash>/. Needs Go, and the module
// proxy the first time. Does nothing if it is built already.
//
//   node scripts/s3-env.mjs         builds it
//   node scripts/s3-env.mjs path    prints its path, or nothing if it is not built
//
// Runs on Node 18 or newer. If it can't be built, prints why and exits with 0, or with 1 if the variable CI is set.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const sources = join(root, 'scripts', 'versitygw')
const hash = createHash('sha256')
for (const name of ['go.mod', 'go.sum']) hash.update(readFileSync(join(sources, name)))
const program = join(root, '.cache', `versitygw-${hash.digest('hex').slice(0, 12)}`, 'versitygw')

if (process.argv[2] === 'path') {
  if (existsSync(program)) console.log(program)
  process.exit(0)
}
if (existsSync(program)) process.exit(0)

/** Ends the script: a developer's tests are skipped without a server, but CI must not pass without it. */
function giveUp(reason) {
  console.error(`s3-env: ${reason}; tests that need an S3 server are skipped.`)
  process.exit(process.env.CI ? 1 : 0)
}

if (spawnSync('go', ['version'], { stdio: 'ignore' }).status !== 0) {
  giveUp('found no Go (1.25 or newer) to build the Versity S3 Gateway')
}
console.error('s3-env: building the Versity S3 Gateway (two minutes or so, once)')
mkdirSync(dirname(program), { recursive: true })
// Built under another name and renamed: concurrent or killed builds never leave an incomplete program.
const building = `${program}-${process.pid}`
const { status, stdout, stderr } = spawnSync(
  'go',
  [
    'build',
    '-mod=readonly',
    '-trimpath',
    '-ldflags=-s -w',
    '-o',
    building,
    'github.com/versity/versitygw/cmd/versitygw',
  ],
  { cwd: sources, encoding: 'utf8', env: { ...process.env, CGO_ENABLED: '0' } },
)
if (status === 0) renameSync(building, program)
rmSync(building, { force: true })
if (status !== 0) giveUp(`go build failed: ${`${stdout}${stderr}`.trim().split('\n').slice(-5).join(' | ')}`)
