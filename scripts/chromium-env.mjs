// A Chromium for the tests of the viewer's page.
//
//   node scripts/chromium-env.mjs       install Debian's where there is none, where root on Debian
//
// BELLIS_CHROMIUM names another one. Where there is none it says so and exits with 0, but with 1 where the variable CI is set.
import { findProgram, installPackages } from './debian.mjs'

const find = () =>
  process.env.BELLIS_CHROMIUM ?? ['chromium', 'chromium-browser', 'google-chrome'].map(findProgram).find(Boolean)

if (find() === undefined) {
  const failure = installPackages('chromium-env', ['chromium'])
  if (find() === undefined) {
    console.error(`chromium-env: chromium not found, and ${failure}; tests in a browser are skipped.`)
    process.exit(process.env.CI ? 1 : 0)
  }
}
