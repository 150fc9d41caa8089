// Installs Azurite, Microsoft's emulator of Azure Blob Storage, for the tests, in .cache/azurite-<hash>/, with the packages that
// scripts/azurite/package-lock.json names. Does nothing if it is there already.
//
//   node scripts/azure-env.mjs         installs it
//   node scripts/azure-env.mjs path    prints the path of its program, or nothing if it is not installed
//
// Runs on Node 18 or newer. If it can't be installed, prints why and exits with 0, or with 1 if the variable CI is set.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const source = join(root, 'scripts', 'azurite')
const files = ['package.json', 'package-lock.json']
const hash = createHash('sha256')
for (const file of files) hash.update(readFileSync(join(source, file)))
const home = join(root, '.cache', `azurite-${hash.digest('hex').slice(0, 12)}`)
const program = join(home, 'node_modules', 'azurite', 'dist', 'src', 'blob', 'main.js')

if (process.argv[2] === 'path') {
  if (existsSync(program)) console.log(program)
} else if (!existsSync(program)) {
  console.error('azure-env: installing Azurite (a minute or so, once)')
  // Installed under another name and renamed: concurrent or killed runs never leave an incomplete folder.
  const building = `${home}-${process.pid}`
  try {
    mkdirSync(building, { recursive: true })
    for (const file of files) copyFileSync(join(source, file), join(building, file))
    const { status, stderr, error } = spawnSync(
      'npm',
      ['ci', '--ignore-scripts', '--omit=optional', '--no-audit', '--no-fund'],
      { cwd: building, encoding: 'utf8', shell: process.platform === 'win32' },
    )
    if (status !== 0) throw new Error(`npm could not install it: ${error?.message ?? stderr.trim().slice(-500)}`)
    if (!existsSync(program)) renameSync(building, home)
  } catch (error) {
    console.error(`azure-env: ${error.message}; tests that need Azure Blob Storage are skipped.`)
    process.exitCode = process.env.CI ? 1 : 0
  } finally {
    rmSync(building, { recursive: true, force: true })
  }
}
