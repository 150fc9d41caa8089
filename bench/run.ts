// Runs the benchmarks of this folder one after the other, all or the named ones: npm run bench [-- name…]
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('.', import.meta.url))
const wanted = process.argv.slice(2)
const names = readdirSync(folder).filter((name) => name.endsWith('.ts') && name !== 'run.ts')
for (const name of names) {
  if (wanted.length > 0 && !wanted.includes(name.replace('.ts', ''))) continue
  console.log(`\n=== ${name}`)
  const { status } = spawnSync(process.execPath, [`${folder}${name}`], { stdio: 'inherit' })
  if (status !== 0) process.exitCode = 1
}
