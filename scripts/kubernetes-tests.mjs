// Builds a Kubernetes, unless there is one, and runs the tests that need it: npm run test:kubernetes
import { spawnSync } from 'node:child_process'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'

const cwd = dirname(dirname(fileURLToPath(import.meta.url)))
const tests = ['test/adapters/batch/kubernetes', 'test/system/kubernetes.test.ts']
for (const parameters of [['scripts/kubernetes-env.mjs'], ['scripts/unit.mjs', ...tests]]) {
  const { status } = spawnSync(process.execPath, parameters, { cwd, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}
