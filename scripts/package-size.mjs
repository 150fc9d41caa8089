// The unpacked size of the published package.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

const LIMIT_MB = 15

/**
 * Prints the size of the package and of its large parts.
 * @param isQuiet whether to print it only if it is too large
 * @returns whether it is within the limit
 */
export function reportPackageSize(root, isQuiet = false) {
  const { files } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const parts = [...files, 'package.json', 'README.md', 'LICENSE']
    .filter((name) => name !== 'dist')
    .map((name) => [name, sizeOf(join(root, name))])
  for (const name of readdirSync(join(root, 'dist'))) parts.push([`dist/${name}`, sizeOf(join(root, 'dist', name))])
  const total = parts.reduce((sum, [, size]) => sum + size, 0)
  const large = parts.filter(([, size]) => size >= 50_000).sort(([, a], [, b]) => b - a)
  const rest = total - large.reduce((sum, [, size]) => sum + size, 0)
  const show = (size) => `${(size / 1e6).toFixed(2)} MB`
  const list = [...large.map(([name, size]) => `${name} ${show(size)}`), `other files ${show(rest)}`].join(', ')
  if (!isQuiet) console.log(`Package: ${show(total)} unpacked: ${list}.`)
  if (total <= LIMIT_MB * 1e6) return true
  console.error(`The package has ${show(total)}: expected at most ${LIMIT_MB} MB.`)
  return false
}

function sizeOf(path) {
  const stat = statSync(path)
  if (stat.isFile()) return stat.size
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0)
}
