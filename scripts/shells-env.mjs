// Zsh and fish, for the tests of completion; bash is on every machine that runs the tests.
//
//   node scripts/shells-env.mjs    installs what is missing, as root on Debian
//
// Runs on Node 18 or newer. If a shell can't be installed, prints why and exits with 0, or with 1 if the variable CI is set.
import { aptGet, findProgram, isRoot } from './batch-env.mjs'

const SHELLS = ['zsh', 'fish']
const missing = () => SHELLS.filter((name) => findProgram(name) === undefined)

function install() {
  if (missing().length === 0) return undefined
  if (process.platform !== 'linux' || findProgram('apt-get') === undefined) return 'this is not Debian'
  if (!isRoot()) return 'only root can install them'
  console.error(`shells-env: installing ${missing().join(' ')}`)
  const wanted = ['install', '--yes', '--no-install-recommends', ...missing()]
  const updated = aptGet(['--simulate', ...wanted]).status === 0 ? '' : aptGet(['update']).output
  const { output } = aptGet(wanted)
  return missing().length === 0 ? undefined : `${updated}${output}`.trim().split('\n').slice(-5).join(' | ')
}

const reason = install()
if (reason !== undefined) {
  console.error(`shells-env: no ${missing().join(' and no ')}: ${reason}; tests that need them are skipped.`)
  process.exit(process.env.CI ? 1 : 0)
}
