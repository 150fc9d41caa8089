#!/usr/bin/env node
// Plain JavaScript that any Node can parse, so that an old one prints a helpful message.
const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 18)) {
  console.error(
    `bellis: Node ${process.versions.node} is too old: expected 22.18 or newer; update Node, or use npx in a checkout after "npm run setup".`,
  )
  process.exit(2)
}
const args = process.argv.slice(2)
// Makes stack traces name src/*.ts. Reading source maps takes time, and only files loaded from here on are mapped.
if (/--log-level[ =]debug/.test(args.join(' '))) {
  process.setSourceMapsEnabled(true)
  // For worker processes.
  process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS || ''} --enable-source-maps`.trim()
}
// The reader of the output may stop early: bellis … | head. A run goes on; it has a listener of its own.
process.stdout.on('error', (error) => {
  if (error.code !== 'EPIPE') throw error
  if (process.stdout.listenerCount('error') === 1) process.exit()
})
process.stderr.on('error', (error) => {
  if (error.code !== 'EPIPE') throw error
})
start()

async function start() {
  try {
    if (args.length === 1 && /^(--version|-V)$/.test(args[0])) return await printVersion()
    await keepCompiledCode()
    // For programs in other languages that start runs: docs/PROTOCOL.md.
    if (args.length === 1 && args[0] === 'engine') {
      const { serveParent } = await import('../dist/entry/parent/parent-program.js')
      return await serveParent()
    }
    const { main } = await import('../dist/entry/cli/main.js')
    await main(args)
  } catch (error) {
    const missing = error?.code === 'ERR_MODULE_NOT_FOUND' && String(error.message).includes('dist/entry/cli/main.js')
    console.error(missing ? 'bellis: this checkout is not built; run "npm run setup -- --build".' : error)
    process.exit(2)
  }
}

/** Scripts ask for it often: nothing else is loaded. */
async function printVersion() {
  const { readFileSync } = await import('node:fs')
  console.log(JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version)
}

/** Compiled code of so many builds is kept: several checkouts and versions may be in use. */
const KEPT_BUILDS = 8
const DAY_MS = 86400000

/**
 * Keeps compiled code in the user's cache folder, for this process and those that it starts. Without the folder, they just start more slowly.
 * Each build has a folder of its own there, so that what belongs to others can be told from it, and removed.
 */
async function keepCompiledCode() {
  if (process.env.NODE_COMPILE_CACHE !== undefined || process.env.NODE_DISABLE_COMPILE_CACHE !== undefined) return
  const [fs, os, path, { enableCompileCache }] = await Promise.all(
    ['node:fs', 'node:os', 'node:path', 'node:module'].map((name) => import(name)),
  )
  try {
    const program = fs.realpathSync(new URL('../dist/entry/cli/main.js', import.meta.url))
    const caches = process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache')
    const all = path.join(caches, 'bellis', 'compiled')
    const folder = path.join(all, `build-${nameOf(program, fs.statSync(program))}`)
    const isNew = !fs.existsSync(folder)
    if (isNew) {
      // One by one: below /proc, a recursive mkdir never ends.
      for (const parent of [caches, path.dirname(all), all]) {
        if (!fs.existsSync(parent)) fs.mkdirSync(parent, { mode: 0o700 })
      }
    }
    // V8 runs what it finds there, so nobody else may write there. Root may have been given the home folder of a user.
    if (process.platform !== 'win32' && !isOwn(fs.statSync(all))) return
    if (isNew) fs.mkdirSync(folder, { recursive: true, mode: 0o700 })
    const found = fs.lstatSync(folder)
    if (process.platform !== 'win32' && (!found.isDirectory() || !isOwn(found))) return
    if (isNew) removeOldest(fs, path, all)
    // The time of the folder is that of its last use, to the day.
    else if (Date.now() - found.mtimeMs > DAY_MS) fs.utimesSync(folder, new Date(), new Date())
    enableCompileCache(folder)
    process.env.NODE_COMPILE_CACHE = folder
  } catch {}
}

const isOwn = ({ uid, mode }) => uid === process.getuid() && (mode & 0o022) === 0

/** Tells builds apart. Package managers give all files the same time of change, but none can choose the one that the system keeps. */
function nameOf(program, { ctimeMs, ino }) {
  let hash = 0
  for (const character of program) hash = (Math.imul(hash, 31) + character.codePointAt(0)) >>> 0
  return [hash, ino, Math.trunc(ctimeMs)].map((number) => number.toString(36)).join('-')
}

/** Removes the compiled code of builds that were not used for longest. A process that uses it goes on; another may be removing it, too. */
function removeOldest(fs, path, all) {
  const lastUse = (name) => {
    const found = fs.lstatSync(path.join(all, name), { throwIfNoEntry: false })
    return found === undefined ? 0 : found.mtimeMs
  }
  const names = fs.readdirSync(all)
  const builds = names
    .filter((name) => name.startsWith('build-'))
    .map((name) => ({ name, used: lastUse(name) }))
    .sort((a, b) => b.used - a.used)
    .slice(KEPT_BUILDS)
    .map(({ name }) => name)
  // Earlier versions kept that of all builds together.
  const together = names.filter((name) => /^v\d+\.\d+\.\d+-/.test(name))
  for (const name of [...builds, ...together]) {
    try {
      fs.rmSync(path.join(all, name), { recursive: true, force: true })
    } catch {}
  }
}
