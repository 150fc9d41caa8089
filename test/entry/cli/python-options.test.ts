import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import type { Command } from 'commander'
import { convertCommand } from '../../../src/entry/cli/tasks/convert.ts'
import { downsampleCommand } from '../../../src/entry/cli/tasks/downsample.ts'
import { labelCommand } from '../../../src/entry/cli/tasks/label.ts'
import { mapCommand } from '../../../src/entry/cli/tasks/map.ts'
import { reduceCommand } from '../../../src/entry/cli/tasks/reduce.ts'
import { smoothCommand } from '../../../src/entry/cli/tasks/smooth.ts'
import { thresholdCommand } from '../../../src/entry/cli/tasks/threshold.ts'

const source = readFileSync(new URL('../../../python/bellis/_options.py', import.meta.url), 'utf8')

/** The names of the options of a class of Python, with those of its base. */
function optionsOf(name: string): string[] {
  const [, base = '', body = ''] = new RegExp(`^class ${name}\\((\\w+).*\\n([^]*?)(?=^\\S)`, 'm').exec(source) ?? []
  const own = [...body.matchAll(/^ {4}(\w+):/gm)].map(([, option = '']) => option)
  assert.ok(base === 'TypedDict' || own.length > 0, `${name} is not in _options.py`)
  return base === 'TypedDict' ? own : [...optionsOf(base), ...own]
}

describe('the options of the built-in tasks in Python', () => {
  const commands: readonly (readonly [Command, string])[] = [
    [convertCommand(), 'ConvertOptions'],
    [smoothCommand(), 'SmoothOptions'],
    [downsampleCommand(), 'DownsampleOptions'],
    [labelCommand(), 'LabelOptions'],
    [mapCommand(), 'MapOptions'],
    [thresholdCommand(), 'PlacedOptions'],
    [reduceCommand(), 'ReduceOptions'],
  ]
  for (const [command, name] of commands) {
    it(`are flags of the command: ${command.name()}`, () => {
      const flags = new Set(command.options.map(({ long }) => long))
      const unknown = optionsOf(name).filter((option) => !flags.has(`--${option.replaceAll('_', '-')}`))
      assert.deepEqual(unknown, [])
      assert.ok(optionsOf(name).includes('workers'))
    })
  }
})
