import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { labelled, withCommand, wrapped, wrappedCommand, wrappedWarning } from '../../../src/entry/cli/layout.ts'
import { columnsOf, control } from '../../../src/entry/cli/terminal.ts'
import { ownCommand } from '../../../src/entry/own-command.ts'

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

describe('a warning that is wrapped', () => {
  it('has its first command whole, on a line of its own', () => {
    const command = `${ownCommand('reset', 'smooth-1a2b3c4d', '--task', 'smooth')}, then this command.`
    const text = `warning: The code has changed. smooth: 3 of its 4 completed blocks were done by older code: ${command}`
    assert.equal(wrappedWarning(text, file), text)
    assert.deepEqual(wrappedWarning(text, terminal(60)).split('\n'), [
      'warning: The code has changed. smooth: 3 of its 4 completed',
      '  blocks were done by older code:',
      `    ${command}`,
    ])
    assertFits(wrappedWarning('warning: this one is long and has no command in it at all', terminal(30)), 30)
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
