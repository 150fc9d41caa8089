// Builds dist/ as it is published: the bundled modules of src/ with their source maps, the types, and the bundled pages.
import { spawnSync } from 'node:child_process'
import { chmodSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildModules } from './build-modules.mjs'
import { buildViewer } from './build-viewer.mjs'
import { reportPackageSize } from './package-size.mjs'

const root = resolve(fileURLToPath(import.meta.url), '../..')
rmSync(join(root, 'dist'), { recursive: true, force: true })
const { status } = spawnSync(join(root, 'node_modules', '.bin', 'tsc'), ['-p', 'tsconfig.build.json'], {
  cwd: root,
  stdio: 'inherit',
})
chmodSync(join(root, 'bin', 'bellis.js'), 0o755)
if (status !== 0) process.exit(status ?? 1)
await Promise.all([buildModules(root), buildViewer(root)])
if (!reportPackageSize(root, process.argv.includes('--quiet'))) process.exit(1)
