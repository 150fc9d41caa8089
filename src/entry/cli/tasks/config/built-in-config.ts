import { Command } from 'commander'
import type { z } from 'zod'
import { parseConfig } from '../../../../runtime/tasks/task-config.ts'
import type { ConfigSchema } from '../../../../runtime/tasks/task-options.ts'
import { type PlacementFlags, placedPath, type RunFlags } from '../../options.ts'
import { warn } from '../../output.ts'
import { configFields, givenConfig, strayVariables } from './config-flags.ts'

/** The source of a command's tasks: the options of a task, or a schema with a name for messages. */
interface Configured<Schema extends ConfigSchema> {
  readonly name?: string
  readonly config: Schema
}

/**
 * The configuration that a built-in command was called with: its arguments, then flags, the environment and the file of
 * `--config`, in the order of precedence of `bellis run`.
 * @param words the fields that are arguments of the command, by the names of the fields
 * @returns the input of the schema, checked; the task parses it again, but cannot name the flag, variable or file of a field
 * @throws ConfigError `INVALID_CONFIG`, naming the flag, the variable or the file of an invalid value
 */
export function builtInConfig<Schema extends ConfigSchema>(
  { name = 'task', config }: Configured<Schema>,
  command: Command,
  words: Readonly<Record<string, string>>,
): z.input<Schema> {
  const flags = command.opts<RunFlags & PlacementFlags & { readonly config?: string }>()
  const fields = configFields(config, new Command(), name)
  for (const variable of strayVariables(fields, process.env)) {
    warn(flags, `${variable} is set, but "${name}" has no such field.`)
  }
  const others = fields.filter((field) => !(field.name in words))
  const { values, nameOf } = givenConfig(others, command, flags.config, process.env)
  const { input } = words
  const all = { ...values, ...words, ...(input === undefined ? {} : { input: placedPath(input, flags) }) }
  parseConfig(config, all, name, nameOf)
  return all as z.input<Schema>
}
