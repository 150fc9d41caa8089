#!/usr/bin/env node
// Plain JavaScript that any Node can parse, so that an old one prints a helpful message.
const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 18)) {
  console.error(
    `bellis: Node ${process.versions.node} is too old: expected 22.18 or newer; update Node, or use npx in a checkout after "npm run setup".`,
  )
  process.exit(2)
}
// Makes stack traces name src/*.ts. Reading source maps takes time, and only files loaded from here on are mapped.
if (/--log-level[ =]debug/.test(process.argv.join(' '))) {
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
import('../dist/entry/cli/main.js').then(
  ({ main }) => main(process.argv.slice(2)),
  (error) => {
    const missing = error?.code === 'ERR_MODULE_NOT_FOUND' && String(error.message).includes('dist/entry/cli/main.js')
    console.error(missing ? 'bellis: this checkout is not built; run "npm run setup -- --build".' : error)
    process.exit(2)
  },
)
