// A Chromium for the tests of the pages.
//
//   node scripts/chromium-env.mjs       installs Debian's, if there is none and this is root on Debian
//
// BELLIS_CHROMIUM names another one. Without any, it prints why and exits with 0, or with 1 if the variable CI is set.
import { existsSync } from 'node:fs'
import { aptGet, findProgram, isRoot } from './batch-env.mjs'

const find = () =>
  process.env.BELLIS_CHROMIUM ?? ['chromium', 'chromium-browser', 'google-chrome'].map(findProgram).find(Boolean)

/** @returns why it may still be missing */
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
