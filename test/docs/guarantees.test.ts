import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))
const testFiles = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.(test|contract)\.ts$/.test(name))
  .map((name) => join(root, 'test', name))

/** The numbers of the guarantees that a page gives: `**D1.` */
const given = ['DATA-PATH.md', 'RESUME.md'].flatMap((page) =>
  [...readFileSync(join(root, 'docs', page), 'utf8').matchAll(/\*\*([A-Z]\d+)\. ?/g)].map(
    ([, number]) => number as string,
  ),
)
/** The numbers with which titles of tests start. */
const tested = new Set(
  testFiles.flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(/\bit\(\s*['"`]([DRVW]\d+): /g)].map(([, number]) => number as string),
  ),
)

describe('the guarantees', () => {
  it('have numbers of their own', () => {
    assert.ok(given.length > 20)
    assert.equal(new Set(given).size, given.length)
  })

  it('are each checked by a test whose title starts with the number', () => {
    assert.deepEqual(
      given.filter((number) => !tested.has(number)),
      [],
    )
  })

  it('have the numbers with which titles of tests start', () => {
    assert.deepEqual(
      [...tested].filter((number) => !given.includes(number)),
      [],
    )
  })
})
