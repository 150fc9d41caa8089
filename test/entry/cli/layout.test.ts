import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { labelled, table, withCommand, wrapped, wrappedCommand } from '../../../src/entry/cli/layout.ts'
import { columnsOf, control } from '../../../src/entry/cli/terminal.ts'

const terminal = (columns: number) => ({ isTTY: true, columns })
const file = { isTTY: false }
const assertFits = (text: string, columns: number) => {
  for (const line of text.split('\n')) assert.ok(columnsOf(line) < columns, line)
}

describe('a line that is wrapped', () => {
  const text = `${control('\u001b[32m✔\u001b[39m')} SLURM       rejects these options: could not establish a configuration`

  it('is broken between words on a terminal, with an indent, and colours take no room', () => {
    const shown = wrapped(text, 14, terminal(40))
    assert.deepEqual(shown.split('\n').slice(1), ['              could not establish a', '              configuration'])
    assertFits(shown, 40)
    assert.ok(shown.split('\n')[0]?.endsWith('SLURM       rejects these options:'), shown)
  })

  it('stays as it is elsewhere, where it fits, and in a terminal that is too narrow to be read', () => {
    assert.equal(wrapped(text, 14, file), text)
    assert.equal(wrapped(text, 14, terminal(200)), text)
    assert.equal(wrapped(text, 14, terminal(20)), text)
  })
})

describe('a command that is wrapped', () => {
  const line = `  bellis smooth 'my data.zarr/raw' 'my data.zarr/smoothed' --sigma 0.5,2,2`

  it('is broken between its words, so that it runs when all lines are pasted', {
    skip: process.platform === 'win32',
  }, () => {
    assert.equal(
      wrappedCommand(line, 4, terminal(40)),
      [`  bellis smooth 'my data.zarr/raw' \\`, `    'my data.zarr/smoothed' \\`, '    --sigma 0.5,2,2'].join('\n'),
    )
  })

  it('stays as it is elsewhere and where it fits', () => {
    assert.equal(wrappedCommand(line, 4, file), line)
    assert.equal(wrappedCommand(line, 4, terminal(90)), line)
  })

  it('is below its label if both do not fit on a line', () => {
    assert.equal(withCommand('To see it', 'bellis show a.zarr', terminal(60)), 'To see it: bellis show a.zarr')
    assert.equal(withCommand('  To see it', 'bellis show a.zarr', terminal(25)), '  To see it:\n    bellis show a.zarr')
  })
})

describe('texts with labels', () => {
  const rows = [
    ['blocks', '64 (4 × 4 × 4), 1 level: all independent'],
    ['writes', 'out.zarr/smoothed'],
  ] as const

  it('are beside each other, and broken below themselves', () => {
    assert.deepEqual(labelled(rows, file), [`  blocks  ${rows[0][1]}`, `  writes  ${rows[1][1]}`])
    assert.equal(labelled(rows, terminal(40))[0], '  blocks  64 (4 × 4 × 4), 1 level: all\n          independent')
  })

  it('are below their labels in a terminal that is too narrow', () => {
    const long = [['bellis-demo/sample.zarr/volumes/raw', 'the same voxels in Zarr']] as const
    assert.deepEqual(labelled(long, terminal(60)), [
      '  bellis-demo/sample.zarr/volumes/raw\n    the same voxels in Zarr',
    ])
    assert.deepEqual(labelled(long, terminal(90)), ['  bellis-demo/sample.zarr/volumes/raw  the same voxels in Zarr'])
  })

  it('are below their labels where a word would not fit beside them', () => {
    const path = [['folder', '/data/.bellis/smooth-1a2b3c4d']] as const
    assert.deepEqual(labelled(path, terminal(40)), ['  folder  /data/.bellis/smooth-1a2b3c4d'])
    assert.deepEqual(labelled(path, terminal(36)), ['  folder\n    /data/.bellis/smooth-1a2b3c4d'])
  })

  it('show line breaks of others as such', () => {
    assert.deepEqual(labelled([['folder', 'a\nb']], file), ['  folder  a\\x0ab'])
  })
})

describe('a table', () => {
  const columns = ['RUN', 'DONE', 'DATA', 'PARAMETERS']
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
    })
  })

  it('has the cells of a row below the first one, with their names, where a row does not fit', () => {
    const { header, rows: shown } = table(columns, rows, terminal(40))
    assert.equal(header, undefined)
    assert.deepEqual(shown, [
      'smooth-1a2b3c4d\n  done 64/64, data raw → smoothed',
      'label-日本-1a2b3c4d\n  done 3/4, 1 failed, data raw → labels\n  parameters connectivity=26',
      'broken\n  run.json is damaged',
    ])
    for (const row of shown) assertFits(row, 40)
  })

  it('shortens paths in the middle where that makes a row fit, and where they are longer than a line', () => {
    const names = ['DATASET', 'SHAPE', 'TYPE']
    const paths = [
      '/groups/lab/a very long name/of a folder/data.zarr/volumes/raw',
      '日本日本日本日本日本日本/日本日本日本日本/b.zarr/c',
    ]
    const datasets = [...paths.map((path) => [path, '20 × 1024 × 1024', 'uint8']), ['/short', 'it can not be read']]
    assert.deepEqual(table(names, datasets, { ...file, isPath: true }).rows[0], `${paths[0]}  20 × 1024 × 1024  uint8`)
    const { header, rows: beside } = table(names, datasets, { ...terminal(60), isPath: true })
    assert.match(header ?? '', /^DATASET {27,}SHAPE/)
    assert.match(beside[0] ?? '', /^\/groups\/lab…\/data\.zarr\/volumes\/raw {2}20 × 1024 × 1024 {2}uint8$/)
    assert.match(beside[1] ?? '', /^日本.*….*日本\/b\.zarr\/c +20 × 1024/)
    assert.match(beside[2] ?? '', /^\/short {28,}it can not be read$/)
    const { header: none, rows: below } = table(names, datasets, { ...terminal(40), isPath: true })
    assert.equal(none, undefined)
    assert.match(below[0] ?? '', /^\/groups\/lab\/.*….*\/volumes\/raw\n {2}shape 20 × 1024 × 1024, type uint8$/)
    for (const columns of [40, 60, 80, 120]) {
      for (const row of table(names, datasets, { ...terminal(columns), isPath: true }).rows) assertFits(row, columns)
    }
    assert.ok(table(names, datasets, terminal(60)).rows[0]?.startsWith(`${paths[0]}\n`), 'other first cells stay whole')
  })
})
