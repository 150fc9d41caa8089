// Measures the tree: lengths of functions and files, files per folder, public methods per class. `npm run shape`.
// With --check it fails if the tree is out of shape.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = resolve(fileURLToPath(import.meta.url), '../..')
const source = join(root, 'src')
const files = readdirSync(source, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && /\.(ts|as|css|html)$/.test(entry.name))
  .map((entry) => join(entry.parentPath, entry.name))
const typescript = files.filter((path) => path.endsWith('.ts') && !path.includes('.generated.'))

const functions = []
const classes = []
for (const path of typescript) {
  const tree = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true)
  const lineOf = (position) => tree.getLineAndCharacterOfPosition(position).line
  const place = (node) => `${relative(root, path)}:${lineOf(node.getStart()) + 1}`
  const visit = (node) => {
    if (ts.isFunctionLike(node) && node.body !== undefined) {
      functions.push({
        place: place(node),
        lines: lineOf(node.end) - lineOf(node.getStart()) + 1,
        text: node.name?.getText() ?? node.parent?.name?.getText?.() ?? '',
      })
    }
    if (ts.isClassDeclaration(node)) {
      const isPublic = (member) =>
        ts.isMethodDeclaration(member) &&
        !ts.isPrivateIdentifier(member.name) &&
        !member.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword)
      classes.push({ place: place(node), text: node.name?.text ?? '', methods: node.members.filter(isPublic).length })
    }
    ts.forEachChild(node, visit)
  }
  visit(tree)
}
const quantile = (values, q) =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(q * values.length))]
const show = (values) => `median ${quantile(values, 0.5)}, P90 ${quantile(values, 0.9)}, max ${Math.max(...values)}`
const lengths = functions.map(({ lines }) => lines)
const fileLengths = typescript.map((path) => readFileSync(path, 'utf8').split('\n').length - 1)
const perFolder = Map.groupBy(files, (path) => relative(root, dirname(path)))

console.log(`functions (${functions.length}): ${show(lengths)} lines`)
console.log(`files (${typescript.length}): ${show(fileLengths)} lines`)
console.log(`files per folder: max ${Math.max(...[...perFolder.values()].map((each) => each.length))}`)
console.log(`public methods per class: max ${Math.max(...classes.map(({ methods }) => methods))}`)

const problems = []
const rows = (title, each, value, limit) => {
  const over = each.filter((one) => value(one) > limit).sort((a, b) => value(b) - value(a))
  for (const one of over) problems.push(`${title} ${one.place} ${one.text}: ${value(one)}; expected at most ${limit}`)
}
const figure = (title, value, limit) => {
  if (value > limit) problems.push(`${title}: ${value}; expected at most ${limit}`)
}
rows('lines of', functions, ({ lines }) => lines, 80)
rows('public methods of', classes, ({ methods }) => methods, 10)
rows(
  'files in',
  [...perFolder].map(([place, list]) => ({ place, text: '', count: list.length })),
  ({ count }) => count,
  16,
)
figure('median lines of functions', quantile(lengths, 0.5), 7)
figure('P90 of lines of functions', quantile(lengths, 0.9), 20)
figure('P90 of lines of files', quantile(fileLengths, 0.9), 220)
for (const problem of problems) console.log(`  ${problem}`)
if (process.argv.includes('--check') && problems.length > 0) process.exitCode = 1
