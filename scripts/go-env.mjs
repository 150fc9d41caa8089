// Shared by mongodb-env.mjs, s3-env.mjs, gs-env.mjs and kubernetes-env.mjs, which build servers for the tests with Go. Runs on Node 18 or newer.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')

/** The program that is built from these files of `scripts/NAME`: `.cache/NAME-<hash>/NAME`. */
function programOf(name, files) {
  const hash = createHash('sha256')
  for (const file of files) hash.update(readFileSync(join(root, 'scripts', name, file)))
  return join(root, '.cache', `${name}-${hash.digest('hex').slice(0, 12)}`, name)
}

/**
 * Builds a program, unless it is built already, or prints its path if the argument of the script is `path`.
 * @param script its name, for messages
 * @param name of the program, and of the folder in `scripts` with its files
 * @param files those that determine the program
 * @param main the package that is built
 * @param env variables for the build
 * @param title of the program, and `duration` of its build, for messages
 * @param server what tests need it for, for messages
 * @param missing what to say if there is no Go
 * @param flags of the linker, in addition
 * @param isNeeded whether it has to be built
 * @returns its path
 */
export function buildWithGo({
  script,
  name,
  files,
  main,
  env = {},
  title,
  duration,
  server,
  missing,
  flags = '',
  isNeeded = true,
}) {
  const program = programOf(name, files)
  const isBuilt = existsSync(program)
  if (process.argv[2] === 'path') {
    if (isBuilt) console.log(program)
    return program
  }
  if (isBuilt || !isNeeded) return program

  /** Ends the script: a developer's tests are skipped without a server, but CI must not pass without it. */
  function giveUp(reason) {
    console.error(`${script}: ${reason}; tests that need ${server} are skipped.`)
    process.exit(process.env.CI ? 1 : 0)
  }

  if (spawnSync('go', ['version'], { stdio: 'ignore' }).status !== 0) giveUp(missing)
  console.error(`${script}: building ${title} (${duration}, once)`)
  mkdirSync(dirname(program), { recursive: true })
  // Built under another name and renamed: concurrent or killed builds never leave an incomplete program.
  const building = `${program}-${process.pid}`
  const { status, stdout, stderr } = spawnSync(
    'go',
    ['build', '-mod=readonly', '-trimpath', `-ldflags=-s -w ${flags}`.trim(), '-o', building, main],
    { cwd: join(root, 'scripts', name), encoding: 'utf8', env: { ...process.env, ...env } },
  )
  if (status === 0) renameSync(building, program)
  rmSync(building, { force: true })
  if (status !== 0) giveUp(`go build failed: ${`${stdout}${stderr}`.trim().split('\n').slice(-5).join(' | ')}`)
  return program
}
