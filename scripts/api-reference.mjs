// Writes docs/api/ from the types in dist/: every exported name with its declaration and doc comment.
//
//   node scripts/api-reference.mjs            writes the pages
//   node scripts/api-reference.mjs --check    exits with 1 if a page is out of date
//
// Either way it exits with 1 if an exported name has no doc comment.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import ts from 'typescript'

const root = resolve(fileURLToPath(import.meta.url), '../..')
const folder = join(root, 'docs/api')
const { exports: entries } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** Names from other packages, documented there. */
const FOREIGN = { z: '[Zod](https://zod.dev), by which a configuration is described.' }
const TAGS = { param: 'Parameters', returns: 'Returns', throws: 'Throws', default: 'Default', see: 'See' }

const parsed = new Map()
/** The syntax tree of a .d.ts file. */
function parse(path) {
  if (!parsed.has(path)) {
    const text = readFileSync(path, 'utf8')
    parsed.set(path, ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true))
  }
  return parsed.get(path)
}

/** The exported names of a file and the file that declares each: `{ name, source, original }`. */
function* exportsOf(path) {
  for (const statement of parse(path).statements) {
    if (!ts.isExportDeclaration(statement)) continue
    const from = statement.moduleSpecifier.text
    for (const { name, propertyName } of statement.exportClause.elements) {
      const source = from.startsWith('.') ? join(dirname(path), from).replace(/\.(ts|js)$/, '.d.ts') : undefined
      yield { name: name.text, source, original: (propertyName ?? name).text }
    }
  }
}

/** The statements that declare a name; an overloaded function has several. */
function declarationsOf(path, name) {
  const found = parse(path).statements.filter((statement) =>
    ts.isVariableStatement(statement)
      ? statement.declarationList.declarations.some((one) => one.name.getText() === name)
      : statement.name?.text === name,
  )
  if (found.length > 0) return { path, found }
  // The file re-exports it.
  for (const { name: passed, source, original } of exportsOf(path)) {
    if (passed === name && source !== undefined) return declarationsOf(source, original)
  }
  throw new Error(`${path} does not declare ${name}`)
}

/** The doc comment of a statement: its text and its tags. */
function commentOf(statement) {
  const doc = ts.getJSDocCommentsAndTags(statement).findLast(ts.isJSDoc)
  if (doc === undefined) return undefined
  const text = doc
    .getText()
    .replace(/^\/\*\*\s?|\s*\*\/$/g, '')
    .replace(/^[ \t]*\* ?/gm, '')
  const [prose, ...tags] = text.split(/(?:^|\s)@(?=(?:param|returns|throws|default|see)\s)/)
  return { prose: prose.trim(), tags: tags.map((tag) => /^(\w+)\s+([\s\S]*)$/.exec(tag.trim())) }
}

/** The code of a declaration for readers: without export, private members and semicolons, on short lines. */
function codeOf(statement) {
  const arrow = ts.isVariableStatement(statement) ? statement.declarationList.declarations[0] : undefined
  if (ts.isFunctionDeclaration(statement)) return callOf(statement.name.text, statement)
  if (arrow?.type !== undefined && ts.isFunctionTypeNode(arrow.type)) return callOf(arrow.name.getText(), arrow.type)
  return statement
    .getText()
    .replace(/^export (declare )?/, '')
    .replace(/^\s*(#private|private .*);\n/gm, '')
    .replace(/^( {4})+/gm, (indent) => ' '.repeat(indent.length / 2))
    .replace(/;$/gm, '')
}

function callOf(name, { typeParameters, parameters, type }) {
  const types = typeParameters === undefined ? '' : `<${typeParameters.map((each) => each.getText()).join(', ')}>`
  const texts = parameters.map((parameter) =>
    parameter
      .getText()
      .replaceAll(/\s+/g, ' ')
      .replaceAll(/;(?= ?\})/g, ''),
  )
  const result = type === undefined ? '' : `: ${type.getText().replaceAll(/\s+/g, ' ')}`
  const line = `function ${name}${types}(${texts.join(', ')})${result}`
  return line.length <= 110
    ? line
    : `function ${name}${types}(\n${texts.map((text) => `  ${text},\n`).join('')})${result}`
}

/** A table of the fields of a built-in task's configuration. */
function fieldsOf(value, z) {
  const { properties, required = [] } = z.toJSONSchema(value.options.config, { io: 'input', unrepresentable: 'any' })
  const rows = Object.entries(properties).map(([name, field]) => {
    const choices = field.enum ?? field.anyOf?.flatMap((each) => each.const ?? each.enum ?? [])
    const kinds = field.anyOf?.map((each) => typeOf(each)) ?? [typeOf(field)]
    const type = choices?.length > 0 ? choices.map((each) => JSON.stringify(each)).join(' \\| ') : kinds.join(' \\| ')
    const given = required.includes(name)
      ? 'required'
      : field.default === undefined
        ? ''
        : JSON.stringify(field.default)
    return `| \`${name}\` | ${type} | ${given} | ${field.description ?? ''} |`
  })
  return ['| field | type | default | |', '| --- | --- | --- | --- |', ...rows].join('\n')
}

const typeOf = ({ type, items, prefixItems, additionalProperties }) => {
  if (prefixItems !== undefined) return `[${prefixItems.map(typeOf).join(', ')}]`
  if (type === 'array') return `${typeOf(items)}[]`
  return type === 'object' ? `{ name: ${typeOf(additionalProperties ?? {})} }` : (type ?? 'any')
}

/** The section of a name. */
function describe({ name, source, original }, values, z) {
  if (source === undefined) return { name, isType: false, text: FOREIGN[name] ?? '', isDocumented: name in FOREIGN }
  const { found } = declarationsOf(source, original)
  const comments = found.map(commentOf).filter((comment) => comment !== undefined && comment.prose !== '')
  const isType = found.every((one) => ts.isInterfaceDeclaration(one) || ts.isTypeAliasDeclaration(one))
  const value = values[name]
  const isTask = typeof value === 'function' && value.options?.config !== undefined
  const code = isTask ? fieldsOf(value, z) : `\`\`\`ts\n${found.map(codeOf).join('\n')}\n\`\`\``
  const text = [
    comments.map(({ prose }) => prose).join('\n\n'),
    code,
    ...comments.map(({ tags }) => describeTags(tags)),
  ]
  return { name, isType, text: text.filter(Boolean).join('\n\n'), isDocumented: comments.length > 0 }
}

function describeTags(tags) {
  const lines = Object.entries(TAGS).flatMap(([tag, title]) => {
    const texts = tags.filter((match) => match?.[1] === tag).map((match) => match[2].replaceAll(/\s*\n\s*/g, ' '))
    if (tag !== 'param') return texts.map((text) => `- ${title}: ${text}`)
    return texts.map((text) => text.replace(/^(\S+)\s*/, (_, name) => `- \`${name}\`: `))
  })
  return lines.join('\n')
}

/** Links to headings. If two differ only in case, such as `roi` and `Roi`, the second gets a number. */
function anchorsOf(members) {
  const seen = new Map()
  return new Map(
    members.map(({ name }) => {
      const anchor = name.toLowerCase()
      const count = seen.get(anchor) ?? 0
      seen.set(anchor, count + 1)
      return [name, `#${anchor}${count === 0 ? '' : `-${count}`}`]
    }),
  )
}

async function pageOf(specifier, types) {
  const values = await import(pathToFileURL(join(root, types.replace(/\.d\.ts$/, '.js'))))
  const { z } = await import(pathToFileURL(join(root, 'dist/entry/index.js')))
  const all = [...exportsOf(join(root, types))]
  const described = all.map((each) => describe(each, values, z))
  described.sort((a, b) => (a.name.toLowerCase() < b.name.toLowerCase() ? -1 : 1))
  const sections = [
    ['Functions and values', described.filter(({ isType }) => !isType)],
    ['Types', described.filter(({ isType }) => isType)],
  ].filter(([, members]) => members.length > 0)
  const anchors = anchorsOf(sections.flatMap(([, members]) => members))
  const index = sections.map(
    ([title, members]) => `**${title}:** ${members.map(({ name }) => `[${name}](${anchors.get(name)})`).join(' · ')}`,
  )
  const linked = (text) =>
    text.replaceAll(/\{@link (\w+)\}/g, (_, to) => (anchors.has(to) ? `[${to}](${anchors.get(to)})` : `\`${to}\``))
  const body = sections.map(
    ([title, members]) =>
      `## ${title}\n\n${members.map(({ name, text }) => `### ${name}\n\n${linked(text)}`).join('\n\n')}`,
  )
  const note = `Made from the doc comments by \`npm run docs\`; [API.md](../API.md) shows how it is used.`
  return {
    text: `${[`# ${specifier}`, note, ...index, ...body].join('\n\n')}\n`,
    undocumented: described.filter(({ isDocumented }) => !isDocumented).map(({ name }) => `${specifier}: ${name}`),
  }
}

const isCheck = process.argv.includes('--check')
const pages = new Map()
const undocumented = []
for (const [key, { types }] of Object.entries(entries)) {
  if (types === undefined) continue
  const specifier = key.replace('.', 'bellis')
  const page = await pageOf(specifier, types)
  pages.set(`${specifier.replace('/', '-')}.md`, page.text)
  undocumented.push(...page.undocumented)
}
for (const name of undocumented) console.error(`${name} has no doc comment.`)
const present = existsSync(folder) ? readdirSync(folder) : []
const stale = [...new Set([...present, ...pages.keys()])].filter(
  (name) => !present.includes(name) || readFileSync(join(folder, name), 'utf8') !== pages.get(name),
)
if (isCheck) for (const name of stale) console.error(`docs/api/${name} is out of date; run npm run docs`)
else {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  for (const [name, text] of pages) writeFileSync(join(folder, name), text)
}
process.exitCode = undocumented.length > 0 || (isCheck && stale.length > 0) ? 1 : 0
