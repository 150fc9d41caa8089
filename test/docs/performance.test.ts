import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { chart, PATHS, withTable } from '../../bench/data-path/document.ts'
import type { Report } from '../../bench/data-path/report.ts'

describe('the table of measurements', () => {
  const report = JSON.parse(readFileSync(PATHS.report, 'utf8')) as Report

  it('and its chart are made from the figures (run bench/data-path/document.ts after measuring)', () => {
    const document = readFileSync(PATHS.document, 'utf8')
    assert.equal(withTable(document, report), document)
    assert.equal(chart(report), readFileSync(PATHS.chart, 'utf8'))
  })

  it('has only rows whose outputs were equal to the bit', () => {
    const rows = report.rows.filter(({ differing }) => differing !== undefined)
    assert.ok(rows.length >= 10)
    for (const { title, differing } of rows) assert.equal(differing, 0, title)
  })
})
