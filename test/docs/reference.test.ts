import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { anchorsOf, linksOf, pathOf, readDocument } from './markdown.ts'

describe('docs/api', () => {
  it('is up to date with the doc comments, and everything exported has one', async () => {
    const { stderr } = await promisify(execFile)(process.execPath, [
      pathOf('scripts/api-reference.mjs'),
      '--check',
    ]).catch((error: { stderr: string }) => error)
    assert.equal(stderr, '')
  })

  it('links to existing headings', () => {
    for (const name of readdirSync(pathOf('docs/api'))) {
      const document = readDocument(`docs/api/${name}`)
      const anchors = anchorsOf(document)
      const links = linksOf(document).filter((link) => link.startsWith('#'))
      assert.ok(links.length > 0)
      assert.deepEqual(
        links.filter((link) => !anchors.includes(link)),
        [],
        name,
      )
    }
  })
})
