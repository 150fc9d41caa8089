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

/** The rows of the table of where each holds: its numbers, and the files of tests that it names. */
const rows = [
  ...readFileSync(join(root, 'docs/DATA-PATH.md'), 'utf8').matchAll(/^\| ([DRVW]\d[^|]*) \|.*\| ([^|]*`) \|$/gm),
].map(([, numbers = '', tests = '']) => ({
  numbers: numbers.split(', ').flatMap(numbersFrom),
  tests: [...tests.matchAll(/`([^`]+)`/g)].map(([, test = '']) => test),
}))

/** `R1 to R3`: R1, R2, R3. */
function numbersFrom(text: string): string[] {
  const [, letter = '', from = '', to = from] = /^([DRVW])(\d+)(?: to [DRVW](\d+))?$/.exec(text) ?? []
  return Array.from({ length: Number(to) - Number(from) + 1 }, (_, i) => `${letter}${Number(from) + i}`)
}

/** Those that have nothing to do with how arrays are stored. */
const OF_RECORDS = ['R4', 'R6', 'R7', 'R8', 'R9', 'R11']

describe('the table of which guarantee holds where', () => {
  it('has each of them once, or says that it concerns the record alone', () => {
    const listed = [...rows.flatMap(({ numbers }) => numbers), ...OF_RECORDS]
    assert.deepEqual(listed.toSorted(), given.toSorted())
  })

  it('names tests that check it by its number', () => {
    for (const { numbers, tests } of rows) {
      assert.ok(tests.length > 0, numbers.join())
      for (const test of tests) {
        const file = testFiles.find((each) => /\.(test|contract)\.ts$/.test(each) && each.includes(`/test/${test}.`))
        assert.ok(file !== undefined, test)
        const text = readFileSync(file, 'utf8')
        assert.ok(
          numbers.some((number) => text.includes(`${number}: `)),
          `${test} checks none of ${numbers.join()}`,
        )
      }
    }
  })
})

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
