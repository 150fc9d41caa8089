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

/** Keeps compiled code in the user's cache folder, for this process and those that it starts. Without the folder, they just start more slowly. */
async function keepCompiledCode() {
  if (process.env.NODE_COMPILE_CACHE !== undefined || process.env.NODE_DISABLE_COMPILE_CACHE !== undefined) return
  const [fs, os, path, { enableCompileCache }] = await Promise.all(
    ['node:fs', 'node:os', 'node:path', 'node:module'].map((name) => import(name)),
  )
  try {
    const caches = process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache')
    const folder = path.join(caches, 'bellis', 'compiled')
    if (!fs.existsSync(folder)) {
      // One by one: below /proc, a recursive mkdir never ends.
      for (const parent of [caches, path.dirname(folder), folder]) {
        if (!fs.existsSync(parent)) fs.mkdirSync(parent, { mode: 0o700 })
      }
    }
    // V8 runs what it finds there, so nobody else may write there. Root may have been given the home folder of a user.
    const { uid, mode } = fs.statSync(folder)
    if (process.platform !== 'win32' && (uid !== process.getuid() || (mode & 0o022) !== 0)) return
    enableCompileCache(folder)
    process.env.NODE_COMPILE_CACHE = folder
  } catch {}
}
