// `npm run bench [name…]`: every bench of this folder, or those named, one after the other.
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
