// All checks that must pass before a change is merged, in the order in which they fail fastest. Needs a built dist/.
import { spawnSync } from 'node:child_process'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(fileURLToPath(import.meta.url), '../..')
const bin = join(root, 'node_modules', '.bin')
const steps = [
  ['Lint and format', join(bin, 'biome'), ['check', '.']],
  ['Types', join(bin, 'tsc'), ['-p', 'tsconfig.json']],
  ['Types of the pure core', join(bin, 'tsc'), ['-p', 'tsconfig.core.json']],
  ['Types of the pages', join(bin, 'tsc'), ['-p', 'tsconfig.viewer.json']],
  ['Import rules', join(bin, 'depcruise'), ['--config', '.dependency-cruiser.cjs', 'src']],
  ['Shape of the tree', process.execPath, ['scripts/tree-shape.mjs', '--check']],
  ['Python for comparisons', process.execPath, ['scripts/python-env.mjs']],
  ['Packages that run on the Python package', process.execPath, ['scripts/python-env.mjs', '--guests']],
  ['Wheels for the Python package', process.execPath, ['scripts/python-wheels-env.mjs']],
  ['MongoDB for tests', process.execPath, ['scripts/mongodb-env.mjs']],
  ['S3 server for tests', process.execPath, ['scripts/s3-env.mjs']],
  ['Server of Google Cloud Storage for tests', process.execPath, ['scripts/gs-env.mjs']],
  ['Azure Blob Storage for tests', process.execPath, ['scripts/azure-env.mjs']],
  ['SLURM for tests', process.execPath, ['scripts/slurm-env.mjs']],
  ['Grid Engine for tests', process.execPath, ['scripts/sge-env.mjs']],
  ["Torque's programs for tests", process.execPath, ['scripts/torque-env.mjs']],
  ['Hosts with a network file system for tests', process.execPath, ['scripts/hosts-env.mjs']],
  ['Chromium for tests', process.execPath, ['scripts/chromium-env.mjs']],
  ['Shells for tests', process.execPath, ['scripts/shells-env.mjs']],
  ['Versions of Node', process.execPath, ['scripts/node-env.mjs']],
  ['Installed package', process.execPath, ['scripts/smoke.mjs']],
  ['Tests', process.execPath, ['--test', '--test-concurrency=2', '--test-timeout=900000', 'test/**/*.test.ts']],
]
for (const [title, command, parameters] of steps) {
  console.log(`\n=== ${title}`)
  const start = Date.now()
  const { status, error } = spawnSync(command, parameters, { cwd: root, stdio: 'inherit' })
  if (error !== undefined) console.error(error.message)
  if (status !== 0) {
    console.error(`\n${title}: failed`)
    process.exit(1)
  }
  console.log(`=== ${title}: ${((Date.now() - start) / 1000).toFixed(1)} s`)
}
