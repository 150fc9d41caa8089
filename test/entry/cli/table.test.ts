import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { table } from '../../../src/entry/cli/table.ts'
import { columnsOf } from '../../../src/entry/cli/terminal.ts'

const terminal = (columns: number) => ({ isTTY: true, columns })
const file = { isTTY: false }
const assertFits = (text: string, columns: number) => {
  for (const line of text.split('\n')) assert.ok(columnsOf(line) < columns, line)
}

describe('a table', () => {
  const columns = ['RUN', 'DONE', 'DATA', 'PARAMETERS'].map((name) => ({ name }))
  const rows = [
    ['smooth-1a2b3c4d', '64/64', 'raw → smoothed', ''],
    ['label-日本-1a2b3c4d', '3/4, 1 failed', 'raw → labels', 'connectivity=26'],
    ['broken', 'run.json is damaged'],
  ]

  it('has its columns below each other, whatever the width of characters', () => {
    assert.deepEqual(table(columns, rows, file), {
      header: 'RUN                  DONE           DATA            PARAMETERS',
      rows: [
        'smooth-1a2b3c4d      64/64          raw → smoothed',
        'label-日本-1a2b3c4d  3/4, 1 failed  raw → labels    connectivity=26',
        'broken               run.json is damaged',
      ],
      leftOut: [],
    })
  })

  it('has the cells of a row below the first one, with their names, where no column gives way', () => {
    const { header, rows: shown } = table(columns, rows, terminal(40))
    assert.equal(header, undefined)
    assert.deepEqual(shown, [
      'smooth-1a2b3c4d\n  done 64/64, data raw → smoothed',
      'label-日本-1a2b3c4d\n  done 3/4, 1 failed, data raw → labels\n  parameters connectivity=26',
      'broken\n  run.json is damaged',
    ])
    for (const row of shown) assertFits(row, 40)
  })

  it('gives up its columns one after the other, which are then below their row or left out', () => {
    const giving = columns.map((column, i) => (i === 0 ? column : { ...column, givesWay: 4 - i, isBelow: i > 1 }))
    assert.deepEqual(table(giving, rows, terminal(60)), {
      header: 'RUN                  DONE           DATA',
      rows: [
        'smooth-1a2b3c4d      64/64          raw → smoothed',
        'label-日本-1a2b3c4d  3/4, 1 failed  raw → labels\n  parameters connectivity=26',
        'broken               run.json is damaged',
      ],
      leftOut: [],
    })
    assert.deepEqual(table(giving, rows, terminal(30)), {
      header: 'RUN',
      rows: [
        'smooth-1a2b3c4d\n  data raw → smoothed',
        'label-日本-1a2b3c4d\n  data raw → labels\n  parameters connectivity=26',
        'broken               run.json\n  is damaged',
      ],
      leftOut: ['DONE'],
    })
  })

  it('shortens cells in the middle where that makes their rows fit, and only those that are too long', () => {
    const names = [{ name: 'DATASET', least: 12 }, { name: 'SHAPE' }, { name: 'TYPE', givesWay: 1 }]
    const paths = [
      '/groups/lab/a very long name/of a folder/data.zarr/volumes/raw',
      '日本日本日本日本日本日本/日本日本日本日本/b.zarr/c',
    ]
    const datasets = [...paths.map((path) => [path, '20 × 1024 × 1024', 'uint8']), ['/short', 'it can not be read']]
    assert.deepEqual(table(names, datasets, file).rows[0], `${paths[0]}  20 × 1024 × 1024  uint8`)
    const { header, rows: beside } = table(names, datasets, terminal(60))
    assert.match(header ?? '', /^DATASET {27,}SHAPE/)
    assert.match(beside[0] ?? '', /^\/groups\/lab…\/data\.zarr\/volumes\/raw {2}20 × 1024 × 1024 {2}uint8$/)
    assert.match(beside[1] ?? '', /^日本.*….*日本\/b\.zarr\/c +20 × 1024/)
    assert.match(beside[2] ?? '', /^\/short {28,}it can not be read$/)
    assert.deepEqual(table(names, datasets, terminal(34)).leftOut, ['TYPE'])
    const { header: none, rows: below } = table(names, datasets, terminal(30))
    assert.equal(none, undefined)
    assert.match(below[0] ?? '', /^\/groups\/l….*\/volumes\/raw\n {2}shape 20 × 1024 × 1024\n {2}type uint8$/)
  })

  it('fits into a terminal of any width, and shows each cell that is not left out', () => {
    const anyColumn = fc.record(
      { least: fc.integer({ min: 1, max: 30 }), givesWay: fc.integer({ min: 1, max: 9 }), isBelow: fc.boolean() },
      { requiredKeys: [] },
    )
    const anyTable = fc.array(anyColumn, { minLength: 1, maxLength: 6 }).chain((found) =>
      fc.record({
        columns: fc.constant(found.map((column, i) => ({ ...column, name: `C${i}` }))),
        rows: fc.array(
          fc.tuple(...found.map((_, i) => fc.integer({ min: 0, max: 15 }).map((n) => `${'abcdef'[i]}`.repeat(n)))),
        ),
      }),
    )
    fc.assert(
      fc.property(anyTable, fc.integer({ min: 22, max: 100 }), ({ columns, rows }, width) => {
        const { header, rows: shown, leftOut } = table(columns, rows, terminal(width))
        assertFits(header ?? '', width)
        for (const [at, text] of shown.entries()) {
          assertFits(text, width)
          for (const [i, cell] of (rows[at] as string[]).entries()) {
            const isShown = columns[i]?.least !== undefined || leftOut.includes(`C${i}`) || text.includes(cell)
            assert.ok(isShown, `${cell} in ${text}`)
          }
        }
      }),
    )
  })
})
