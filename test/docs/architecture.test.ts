import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { describe, it } from 'node:test'
import { pathOf, readDocument } from './markdown.ts'

const { prose, blocks } = readDocument('docs/ARCHITECTURE.md')

/** The text of a section, from its heading to the next. */
function sectionOf(title: string): string {
  const [, text] = new RegExp(`^## ${title}\\n([^]*?)(?=^## |$(?![^]))`, 'm').exec(prose) ?? []
  assert.ok(text !== undefined, `docs/ARCHITECTURE.md has no section "${title}"`)
  return text
}

/** The paths of files and folders in a text, in order. */
const pathsIn = (text: string): string[] =>
  [...text.matchAll(/`((?:src|test|scripts|docs)\/[^`\s]*)`/g)]
    .map(([, path = '']) => path)
    .filter((path) => !path.includes('/x/'))

/** The minimum number of files that each flow names. */
const FLOWS = {
  'A block': 25,
  'A dataset': 18,
  'A lease': 18,
  'An event': 15,
  'A dataset on the screen': 7,
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
