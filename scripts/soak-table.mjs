// Puts the tables of a soak into docs/RELIABILITY.md: node scripts/soak-table.mjs FILE, where `npm run soak -- --table FILE` wrote it.
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const page = join(resolve(fileURLToPath(import.meta.url), '../..'), 'docs/RELIABILITY.md')
const [file] = process.argv.slice(2)
if (file === undefined) {
  console.error('usage: node scripts/soak-table.mjs FILE')
  process.exit(2)
}
const text = readFileSync(page, 'utf8')
const marked = /(<!-- soak -->\n)[\s\S]*(\n<!-- end of soak -->)/
if (!marked.test(text)) throw new Error(`${page} has no place for the tables of a soak.`)
const tables = readFileSync(file, 'utf8').trim()
writeFileSync(
  page,
  text.replace(marked, (_, start, end) => `${start}\n${tables}\n${end}`),
)
