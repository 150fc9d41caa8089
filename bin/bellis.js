#!/usr/bin/env node
// Plain JavaScript that any Node reads, so that an old one gets an answer it can act on.
const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 18)) {
  console.error(
    `bellis: needs Node 22.18 or newer, and this is Node ${process.versions.node}; update Node, or run it with npx in a checkout after "npm run setup".`,
  )
  process.exit(2)
}
// Whoever read the output has read enough: bellis … | head
process.stdout.on('error', (error) => {
  if (error.code !== 'EPIPE') throw error
  process.exit()
})
import('../dist/entry/cli/main.js').then(
  ({ main }) => main(process.argv.slice(2)),
  (error) => {
    const missing = error?.code === 'ERR_MODULE_NOT_FOUND' && String(error.message).includes('dist/entry/cli/main.js')
    console.error(missing ? 'bellis: this checkout is not built yet; run "npm run setup -- --build".' : error)
    process.exit(2)
  },
)
