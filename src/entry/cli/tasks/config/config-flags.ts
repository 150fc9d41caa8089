import { type Command, Option } from 'commander'
import { z } from 'zod'
import { ConfigError } from '../../../../core/errors.ts'
import { kebab } from '../../../../core/text/kebab.ts'
import type { NameOf } from '../../../../runtime/tasks/task-config.ts'
import type { ConfigSchema } from '../../../../runtime/tasks/task-options.ts'
import { GROUPS } from '../../options.ts'
import { readConfigFile } from './config-file.ts'
import { type FieldSchema, meanings, valueName } from './field-values.ts'

/** A field of a task's configuration as a flag and as an environment variable. */
export interface ConfigField {
  readonly name: string
  /** `--block-shape` */
  readonly flag: string
  /** `BELLIS_CONFIG_BLOCK_SHAPE` */
  readonly variable: string
  readonly schema: FieldSchema
  readonly isRequired: boolean
  /** The value of a text: its first interpretation that the schema accepts. */
  parse(text: string): unknown
}

/** The values of a configuration, and the source of each. */
export interface GivenConfig {
  readonly values: Readonly<Record<string, unknown>>
  readonly nameOf: NameOf
}

const VARIABLE = 'BELLIS_CONFIG_'

/**
 * The fields of a configuration as flags. A flag that the command already has is prefixed with `--config-`.
 * @param what names the task or pipeline in errors
 * @throws ConfigError `INVALID_TASK` if two fields would have the same flag
 */
export function configFields(schema: ConfigSchema, command: Command, what: string): ConfigField[] {
  const { properties = {}, required = [] } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })
  const taken = new Map(command.options.map(({ long }) => [long as string, 'an option']))
  for (const option of ['--help', '--version']) taken.set(option, 'an option')
  return Object.entries(schema.shape).map(([name, field]) => {
    const word = kebab(name)
    const flag = taken.get(`--${word}`) === 'an option' || word.startsWith('no-') ? `--config-${word}` : `--${word}`
    const other = taken.get(flag)
    if (other !== undefined) {
      throw new ConfigError(
        'INVALID_TASK',
        `${what}: "${name}" and ${other} would both be ${flag}; rename one of them.`,
      )
    }
    taken.set(flag, `"${name}"`)
    const fieldSchema = (properties[name] ?? {}) as FieldSchema
    return {
      name,
      flag,
      variable: `${VARIABLE}${word.replaceAll('-', '_').toUpperCase()}`,
      schema: fieldSchema,
      isRequired: required.includes(name),
      parse: (text) => {
        const candidates = [...meanings(text, fieldSchema), text]
        return candidates.find((value) => z.safeParse(field, value).success) ?? candidates[0]
      },
    }
  })
}

/** Adds a flag for every field; `--blockShape` works as well as `--block-shape`. */
export function addConfigOptions(command: Command, fields: readonly ConfigField[]): void {
  for (const field of fields) {
    const { flag, name, schema } = field
    const isFlag = schema.type === 'boolean'
    const value = isFlag ? '' : ` <${valueName(schema)}>`
    // The help shows how to change the default: a flag that is true by default is turned off.
    const [shown, hidden] = isFlag && schema.default === true ? ['no-', ''] : ['', 'no-']
    command.addOption(new Option(`--${shown}${flag.slice(2)}${value}`, helpText(field)).helpGroup(GROUPS.configuration))
    if (isFlag) command.addOption(new Option(`--${hidden}${flag.slice(2)}`).hideHelp())
    if (flag !== `--${name}` && flag === `--${kebab(name)}`) {
      command.addOption(new Option(`--${name}${value}`).hideHelp())
      if (isFlag) command.addOption(new Option(`--no-${name}`).hideHelp())
    }
  }
}

function helpText({ flag, name, schema, isRequired }: ConfigField): string {
  const notes = [
    ...(isRequired ? ['required'] : []),
    ...(schema.enum === undefined
      ? []
      : [`choices: ${schema.enum.map((choice) => JSON.stringify(choice)).join(', ')}`]),
    ...(schema.default === undefined ? [] : [`default: ${JSON.stringify(schema.default)}`]),
    ...(flag === `--${kebab(name)}` ? [] : [`the field "${name}"`]),
  ]
  return `${schema.description ?? ''}${notes.length === 0 ? '' : ` (${notes.join(', ')})`}`.trim()
}

/**
 * The configuration that was given: a flag takes precedence over the environment, and the environment over the file.
 * @param command already parsed
 * @throws ConfigError `NO_SUCH_FILE`, `INVALID_CONFIG` for the file
 */
export function givenConfig(
  fields: readonly ConfigField[],
  command: Command,
  file: string | undefined,
  environment: NodeJS.ProcessEnv,
): GivenConfig {
  const values: Record<string, unknown> = file === undefined ? {} : readConfigFile(file)
  const names = new Map(Object.keys(values).map((name) => [name, `"${name}" of ${file}`]))
  const shownNames = new Map(fields.map(({ name, flag }) => [name, flag]))
  for (const { name, flag, variable, parse } of fields) {
    const text = environment[variable]
    if (text !== undefined) {
      values[name] = parse(text)
      names.set(name, variable)
    }
    // Commander's key of the flag, and of the field's own name as a flag.
    const ownKey = flag.slice(2).replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())
    const keys = flag === `--${kebab(name)}` ? [ownKey, name] : [ownKey]
    const key = keys.find((each) => command.getOptionValueSource(each) === 'cli')
    if (key === undefined) continue
    const value: unknown = command.getOptionValue(key)
    values[name] = typeof value === 'string' ? parse(value) : value
    names.set(name, flag)
  }
  return {
    values,
    nameOf: (field, below) => `${names.get(field) ?? shownNames.get(field) ?? `"${field}"`}${below}`,
  }
}

/** Variables that look like fields but match none; most are misspelt. */
export const strayVariables = (fields: readonly ConfigField[], environment: NodeJS.ProcessEnv): string[] =>
  Object.keys(environment).filter(
    (variable) => variable.startsWith(VARIABLE) && !fields.some((field) => field.variable === variable),
  )
