// The program that loads a module for the completion of its flags: module-flags-program FILE [TASK]. It answers with them and ends.
import { Command } from 'commander'
import { watchUserCode } from '../../workers/user-code.ts'
import { addConfigOptions } from '../tasks/config/config-flags.ts'
import { fieldsOf } from '../tasks/config/module-fields.ts'
import type { ModuleFlag } from './module-flags.ts'

const [file = '', task] = process.argv.slice(2)
// A shell that no longer waits has ended the process that asked.
process.on('disconnect', () => process.exit())
using watch = watchUserCode({ isQuiet: true, print: () => {} })
const found = await watch.guard(() => flagsOf(file, task)).catch((): ModuleFlag[] => [])
process.send?.(found, () => process.exit())

async function flagsOf(module: string, name: string | undefined): Promise<ModuleFlag[]> {
  const { fields } = await fieldsOf(module, name)
  const command = new Command()
  addConfigOptions(command, fields)
  const choicesOf = new Map<string | undefined, string[]>()
  for (const { name: field, flag, schema } of fields) {
    for (const word of [flag, `--${field}`]) if (schema.enum !== undefined) choicesOf.set(word, schema.enum.map(String))
  }
  return command.options.map(({ flags, long, description, hidden }) => {
    const choices = choicesOf.get(long)
    return { flags, description, isHidden: hidden, ...(choices === undefined ? {} : { choices }) }
  })
}
