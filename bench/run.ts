// Runs the benchmarks of this folder one after the other, all or the named ones: npm run bench [-- [--peers] name…]
// With --peers, it first makes the Python environment of the libraries that they are compared with, once.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('.', import.meta.url))
const node = (...args: string[]) => spawnSync(process.execPath, args, { stdio: 'inherit' }).status
const args = process.argv.slice(2)
const wanted = args.filter((arg) => arg !== '--peers')
if (args.includes('--peers')) node(fileURLToPath(new URL('../scripts/python-env.mjs', import.meta.url)), '--peers')
const names = readdirSync(folder).filter((name) => name.endsWith('.ts') && name !== 'run.ts')
for (const name of names) {
  if (wanted.length > 0 && !wanted.includes(name.replace('.ts', ''))) continue
  console.log(`\n=== ${name}`)
  if (node(`${folder}${name}`) !== 0) process.exitCode = 1
}
