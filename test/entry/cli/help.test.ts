import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Command } from 'commander'
import { bellisProgram } from '../../../src/entry/cli/main.ts'

const withBelow = (command: Command): Command[] => [command, ...command.commands.flatMap(withBelow)]

it('the help of all commands describes --help and RUN in the same words', async () => {
  const commands = withBelow(await bellisProgram())
  assert.ok(commands.length > 25)
  let ofRuns = 0
  for (const command of commands) {
    const text = command.helpInformation().replaceAll(/\s+/g, ' ')
    // These pass everything on, and have the help of what is behind them.
    if (!['plan', 'run'].includes(command.name())) assert.match(text, / -h, --help show this help/, command.name())
    if (!command.registeredArguments.some((argument) => argument.name() === 'run')) continue
    ofRuns++
    assert.match(text, / an output that it writes, a part of its name or of an output, or last/, command.name())
  }
  assert.ok(ofRuns > 8)
})
