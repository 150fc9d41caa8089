// A Chromium for the tests of the viewer's page.
//
//   node scripts/chromium-env.mjs       install Debian's where there is none, where root on Debian
//
// BELLIS_CHROMIUM names another one. Where there is none it says so and exits with 0, but with 1 where the variable CI is set.
import { existsSync } from 'node:fs'
import { aptGet, findProgram, isRoot } from './batch-env.mjs'

const find = () =>
  process.env.BELLIS_CHROMIUM ?? ['chromium', 'chromium-browser', 'google-chrome'].map(findProgram).find(Boolean)

/** @returns why it may not be there, for a message */
function install() {
  if (findProgram('apt-get') === undefined || !existsSync('/etc/debian_version')) return 'this is not Debian'
  if (!isRoot()) return 'only root can install it'
  console.error('chromium-env: installing chromium')
  const wanted = ['install', '--yes', '--no-install-recommends', 'chromium']
  const updated = aptGet(['--simulate', ...wanted]).status === 0 ? '' : aptGet(['update']).output
  const output = updated + aptGet(wanted).output
  return `apt-get could not install it: ${output.trim().split('\n').slice(-5).join(' | ')}`
}

if (find() === undefined) {
  const failure = install()
  if (find() === undefined) {
    console.error(`chromium-env: chromium not found, and ${failure}; tests in a browser are skipped.`)
    process.exit(process.env.CI ? 1 : 0)
  }
}
