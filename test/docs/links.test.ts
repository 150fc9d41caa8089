import assert from 'node:assert/strict'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { anchorsOf, type Document, linksOf, pathOf, readDocument } from './markdown.ts'

/** Folders that do not belong to the repository, or are generated. */
const SKIPPED = new Set(['node_modules', 'dist', 'third_party'])

/** Every Markdown file of the repository. */
function markdownFiles(folder = ''): string[] {
  return readdirSync(pathOf(folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return SKIPPED.has(entry.name) || entry.name.startsWith('.') ? [] : markdownFiles(path)
    return entry.name.endsWith('.md') ? [path] : []
  })
}

const documents = markdownFiles().map(readDocument)

/** @returns what is wrong with a link, undefined if nothing is */
function faultOf(document: Document, link: string): string | undefined {
  if (/^[a-z][a-z+.-]*:/i.test(link)) return isAddress(link) ? undefined : 'is not an address'
  const [path = '', anchor] = link.split('#')
  const file = path === '' ? document.path : join(dirname(document.path), decodeURI(path))
  if (file.startsWith('..')) return 'leaves the repository'
  if (!existsSync(pathOf(file))) return 'leads nowhere'
  if (anchor === undefined) return undefined
  if (!file.endsWith('.md') || statSync(pathOf(file)).isDirectory()) return 'has an anchor in a file without headings'
  return anchorsOf(readDocument(file)).includes(`#${anchor}`) ? undefined : 'has no such heading'
}

/** Only the form of external addresses is checked: tests do not depend on the network. */
function isAddress(link: string): boolean {
  if (link.startsWith('mailto:')) return /^mailto:[^@\s]+@[^@\s]+$/.test(link)
  return /^https?:/.test(link) && URL.canParse(link) && new URL(link).hostname.includes('.')
}

describe('the links of Markdown files', () => {
  it('lead to files and headings that exist', () => {
    const faults = documents.flatMap((document) =>
      linksOf(document).flatMap((link) => {
        const fault = faultOf(document, link)
        return fault === undefined ? [] : [`${document.path}: ${link} ${fault}`]
      }),
    )
    assert.deepEqual(faults, [])
  })

  it('are found in every page that users read', () => {
    assert.ok(documents.length >= 20)
    assert.ok(documents.flatMap(linksOf).length >= 200)
  })

  it('lead from the README to every page', () => {
    const reached = new Set(['README.md'])
    const visit = (document: Document) => {
      for (const link of linksOf(document)) {
        const file = join(dirname(document.path), link.split('#')[0] as string)
        if (/^[a-z]+:/.test(link) || !file.endsWith('.md') || reached.has(file)) continue
        reached.add(file)
        visit(readDocument(file))
      }
    }
    visit(readDocument('README.md'))
    const pages = documents.map(({ path }) => path).filter((path) => path.startsWith('docs/'))
    assert.deepEqual(
      pages.filter((path) => !reached.has(path)),
      [],
    )
  })
})

describe('an anchor', () => {
  it('is what GitHub makes of a heading', () => {
    const prose = [
      '# Reading and writing arrays',
      '### bellis show DATASET…',
      '### `bellis worker` [RUN]',
      '## What is "equal"?',
      '## A [link](API.md), *twice*',
      '## Größe & _size_',
      '## Limits',
      '## Limits',
      '## LIMITS',
    ].join('\n')
    assert.deepEqual(anchorsOf({ path: '', blocks: [], prose }), [
      '#reading-and-writing-arrays',
      '#bellis-show-dataset',
      '#bellis-worker-run',
      '#what-is-equal',
      '#a-link-twice',
      '#größe--size',
      '#limits',
      '#limits-1',
      '#limits-2',
    ])
  })
})
