// Prepares a fresh checkout with any Node, then continues with the pinned one:
//   node scripts/setup.mjs [--build] [--test] [--then FILE args…]
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(fileURLToPath(import.meta.url), '../..')
const bin = join(root, 'node_modules', '.bin')
const node = join(bin, 'node')
const stampFile = join(root, 'node_modules', '.bellis-setup')

const args = process.argv.slice(2)
const thenAt = args.indexOf('--then')
const flags = thenAt === -1 ? args : args.slice(0, thenAt)
const then = thenAt === -1 ? [] : args.slice(thenAt + 1)

const stamp = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex')
if (!existsSync(node) || !existsSync(stampFile) || readFileSync(stampFile, 'utf8') !== stamp) {
  console.error('Installing dependencies: npm ci')
  const npm = process.env.npm_execpath
  const call = ['ci', '--no-audit', '--no-fund', '--loglevel=error']
  // Use the npm that started this script; without one, that on the PATH.
  if (npm?.endsWith('.js')) run(process.execPath, [npm, ...call])
  else run('npm', call)
  linkCommand()
  writeFileSync(stampFile, stamp)
}
// Who tries Bellis does not ask for the size of the package.
if (flags.includes('--build')) run(node, ['scripts/build.mjs', ...(flags.includes('--test') ? [] : ['--quiet'])])
if (flags.includes('--test')) run(node, ['scripts/test.mjs', ...flags.filter((flag) => flag.startsWith('--only'))])
if (then.length > 0) run(node, then)

/** Lets `npx bellis` find the command here; otherwise npm would pack and install the checkout each time. */
function linkCommand() {
  if (process.platform === 'win32') return
  rmSync(join(bin, 'bellis'), { force: true })
  symlinkSync('../../bin/bellis.js', join(bin, 'bellis'))
}

function run(command, parameters) {
  const { status, signal, error } = spawnSync(command, parameters, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` },
  })
  if (error !== undefined) console.error(error.message)
  if (status !== 0) process.exit(status ?? (signal === 'SIGINT' ? 130 : 1))
}
