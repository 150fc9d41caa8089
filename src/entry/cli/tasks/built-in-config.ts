import { Command } from 'commander'
import type { z } from 'zod'
import { parseConfig } from '../../../runtime/tasks/task-config.ts'
import type { ConfigSchema } from '../../../runtime/tasks/task-options.ts'
import type { RunFlags } from '../options.ts'
import { warn } from '../output.ts'
import { configFields, givenConfig, strayVariables } from './config-flags.ts'

/** What a command has a task, or a chain of them, made from: a task's own options, or others of that form. */
interface Configured<Schema extends ConfigSchema> {
  readonly name?: string
  readonly config: Schema
}

/**
 * The configuration that a command of a built-in task was called with: its arguments, then flags, the environment and the file of
 * `--config`, as `bellis run` takes them.
 * @param configured its schema, and how messages name it
 * @param words the fields that are arguments of the command, by the names of the fields
 * @throws ConfigError `INVALID_CONFIG`, naming the flag, the variable or the file that a wrong value came by
 */
export function builtInConfig<Schema extends ConfigSchema>(
  { name = 'task', config }: Configured<Schema>,
  command: Command,
  words: Readonly<Record<string, string>>,
): z.input<Schema> {
  const flags = command.opts<RunFlags & { readonly config?: string }>()
  const fields = configFields(config, new Command(), name)
  for (const variable of strayVariables(fields, process.env)) {
    warn(flags, `${variable} is set, but "${name}" has no such field.`)
  }
  const others = fields.filter((field) => !(field.name in words))
  const { values, nameOf } = givenConfig(others, command, flags.config, process.env)
  const all = { ...values, ...words }
  parseConfig(config, all, name, nameOf)
  return all as z.input<Schema>
}
