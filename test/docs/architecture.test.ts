import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { describe, it } from 'node:test'
import { documents, pathOf, readDocument } from './markdown.ts'

const { prose, blocks } = readDocument('docs/ARCHITECTURE.md')

/** The text of a section, from its heading to the next. */
function sectionOf(title: string): string {
  const [, text] = new RegExp(`^## ${title}\\n([^]*?)(?=^## |$(?![^]))`, 'm').exec(prose) ?? []
  assert.ok(text !== undefined, `docs/ARCHITECTURE.md has no section "${title}"`)
  return text
}

/** The paths of files and folders in a text, in order. */
const pathsIn = (text: string): string[] =>
  [...text.matchAll(/`((?:src|test|scripts|docs|bench)\/[^`\s]*)`/g)]
    .map(([, path = '']) => path)
    .filter((path) => !path.includes('/x/'))

/** The minimum number of files that each flow names. */
const FLOWS = {
  'A block': 25,
  'A dataset': 18,
  'A lease': 28,
  'An event': 20,
  'A dataset on the screen': 10,
} as const

describe('the architecture', () => {
  it('names files and folders that exist', () => {
    const paths = [...pathsIn(prose), ...blocks.flatMap(({ text }) => text.match(/^ *src\/\S+\/(?= )/gm) ?? [])]
    assert.ok(paths.length > 100)
    assert.deepEqual(
      paths.filter((path) => !existsSync(pathOf(path.trim()))),
      [],
    )
  })

  for (const [title, least] of Object.entries(FLOWS)) {
    it(`follows ${title.toLowerCase()} through at least ${least} files, step by step`, () => {
      const section = sectionOf(title)
      const files = new Set(pathsIn(section).filter((path) => /\.\w+$/.test(path)))
      assert.ok(files.size >= least, `only ${files.size}`)
      const steps = [...section.matchAll(/^(\d+)\. (.*)/gm)].map(([, number]) => Number(number))
      assert.deepEqual(
        steps,
        steps.map((_, i) => i + 1),
      )
    })
  }
})

describe('every other page', () => {
  const others = ['CONTRIBUTING.md', 'SECURITY.md', 'src/entry/run-folder/README.md'].map(readDocument)

  it('names files and folders that exist', () => {
    const faults = [...documents(), ...others].flatMap(({ path, prose: text }) =>
      pathsIn(text).flatMap((named) => (existsSync(pathOf(named)) ? [] : [`${path}: ${named}`])),
    )
    assert.deepEqual(faults, [])
  })

  it('names the files of the scheduler that exist, and all of them', () => {
    const { prose: text } = readDocument('docs/SCHEDULER.md')
    const named: string[] = []
    for (const [, cell = ''] of text.matchAll(/^\|.*\| (`(?:grid|scheduling)\/.*`) \|$/gm)) {
      const [first = '', ...further] = [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1] as string)
      const folder = first.slice(0, first.lastIndexOf('/') + 1)
      named.push(first, ...further.map((name) => `${folder}${name}`))
    }
    const missing = named.filter((name) => !existsSync(pathOf(`src/core/${name}`)))
    assert.deepEqual(missing, [])
    const unnamed = readdirSync(pathOf('src/core/scheduling'), { recursive: true, encoding: 'utf8' }).filter(
      (name) => name.endsWith('.ts') && !named.includes(`scheduling/${name}`),
    )
    assert.deepEqual(unnamed, [])
  })
})
