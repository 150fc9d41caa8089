import { readFileSync } from 'node:fs'
import { type Command, Option } from 'commander'
import { z } from 'zod'
import { ConfigError, messageOf } from '../../../core/errors.ts'
import type { NameOf } from '../../../runtime/tasks/task-config.ts'
import type { ConfigSchema } from '../../../runtime/tasks/task-options.ts'

type FieldSchema = z.core.JSONSchema.BaseSchema

/** A field of a task's configuration, as the command line and the environment take it. */
interface ConfigField {
  readonly name: string
  /** `--block-shape` */
  readonly flag: string
  /** `BELLIS_CONFIG_BLOCK_SHAPE` */
  readonly variable: string
  readonly schema: FieldSchema
  readonly isRequired: boolean
  /** What a text means: what the schema takes of all that it may be. */
  parse(text: string): unknown
}

/** The values of a configuration, and where each comes from. */
export interface GivenConfig {
  readonly values: Readonly<Record<string, unknown>>
  readonly nameOf: NameOf
}

const VARIABLE = 'BELLIS_CONFIG_'

/** `blockShape` → `block-shape` */
const kebab = (name: string): string =>
  name
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replaceAll(/[_\s]+/g, '-')
    .toLowerCase()

/**
 * The fields of a configuration as flags. One whose flag the command has already gets `--config-` before its name.
 * @throws ConfigError `INVALID_TASK` when two fields would have one flag
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
    const candidates = (text: string) => [...meanings(text, fieldSchema), text]
    return {
      name,
      flag,
      variable: `${VARIABLE}${word.replaceAll('-', '_').toUpperCase()}`,
      schema: fieldSchema,
      isRequired: required.includes(name),
      parse: (text) => {
        const all = candidates(text)
        return all.find((value) => z.safeParse(field, value).success) ?? all[0]
      },
    }
  })
}

/** Adds a flag for every field; `--blockShape` is taken for `--block-shape`, too. */
export function addConfigOptions(command: Command, fields: readonly ConfigField[]): void {
  for (const { flag, name, schema, isRequired } of fields) {
    const isFlag = schema.type === 'boolean'
    const value = isFlag ? '' : ` <${valueName(schema)}>`
    const { description = '' } = schema
    const notes = [
      ...(isRequired ? ['required'] : []),
      ...(schema.enum === undefined
        ? []
        : [`choices: ${schema.enum.map((choice) => JSON.stringify(choice)).join(', ')}`]),
      ...(schema.default === undefined ? [] : [`default: ${JSON.stringify(schema.default)}`]),
      ...(flag === `--${kebab(name)}` ? [] : [`the field "${name}"`]),
    ]
    const text = `${description}${notes.length === 0 ? '' : ` (${notes.join(', ')})`}`.trim()
    // What is on by default is turned off.
    const [shown, hidden] = isFlag && schema.default === true ? ['no-', ''] : ['', 'no-']
    const heading = 'Configuration:'
    command.addOption(new Option(`--${shown}${flag.slice(2)}${value}`, text).helpGroup(heading))
    if (isFlag) command.addOption(new Option(`--${hidden}${flag.slice(2)}`).hideHelp())
    if (flag !== `--${name}` && flag === `--${kebab(name)}`) {
      command.addOption(new Option(`--${name}${value}`).hideHelp())
      if (isFlag) command.addOption(new Option(`--no-${name}`).hideHelp())
    }
  }
}

/**
 * The configuration that was given: by a flag, else by the environment, else by the file.
 * @param command parsed
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
    // As commander names the value of a flag, and of the field's own name as a flag.
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

/** Variables that look like a field's but are none: mostly misspelt. */
export const strayVariables = (fields: readonly ConfigField[], environment: NodeJS.ProcessEnv): string[] =>
  Object.keys(environment).filter(
    (variable) => variable.startsWith(VARIABLE) && !fields.some((field) => field.variable === variable),
  )

/** The object that a file of JSON holds. @throws ConfigError `NO_SUCH_FILE`, `INVALID_CONFIG` */
export function readConfigFile(path: string): Record<string, unknown> {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new ConfigError('NO_SUCH_FILE', `${path} can't be read: ${messageOf(error)}`, { cause: error })
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new ConfigError('INVALID_CONFIG', `${path} is not JSON: ${messageOf(error)}`, { cause: error })
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new ConfigError('INVALID_CONFIG', `${path} must hold one JSON object, the fields of a configuration.`)
}

/** All that a text may mean to a schema, the likeliest first. */
function meanings(text: string, schema: FieldSchema): unknown[] {
  const { type, anyOf, oneOf, enum: choices } = schema
  const choice = [...(choices ?? []), ...('const' in schema ? [schema.const] : [])]
  if (choice.length > 0) return choice.filter((value) => String(value) === text)
  const alternatives = anyOf ?? oneOf
  if (alternatives !== undefined) return alternatives.flatMap((each) => meanings(text, each as FieldSchema))
  const types = Array.isArray(type) ? (type as readonly string[]) : [type]
  return types.flatMap((each) => meaningAs(text, each, schema))
}

function meaningAs(text: string, type: string | undefined, schema: FieldSchema): unknown[] {
  switch (type) {
    case 'string':
      return [text]
    case 'number':
    case 'integer':
      return text.trim() !== '' && Number.isFinite(Number(text)) ? [Number(text)] : []
    case 'boolean':
      return /^(true|yes|on|1)$/i.test(text) ? [true] : /^(false|no|off|0)$/i.test(text) ? [false] : []
    case 'null':
      return text === 'null' ? [null] : []
    case 'array': {
      if (text.trim().startsWith('[')) return fromJson(text)
      const items = (index: number): FieldSchema =>
        (schema.prefixItems?.[index] ?? (typeof schema.items === 'object' ? schema.items : {})) as FieldSchema
      const parts = text === '' ? [] : text.split(',')
      return [parts.map((part, index) => [...meanings(part.trim(), items(index)), part.trim()][0])]
    }
    default:
      return fromJson(text)
  }
}

function fromJson(text: string): unknown[] {
  try {
    return [JSON.parse(text)]
  } catch {
    return []
  }
}

/** What stands for a value in the help: `number`, `number,…`, `json`. */
function valueName(schema: FieldSchema): string {
  const { type, anyOf, oneOf, items } = schema
  const alternatives = anyOf ?? oneOf
  if ('const' in schema) return String(schema.const)
  if (alternatives !== undefined)
    return [...new Set(alternatives.map((each) => valueName(each as FieldSchema)))].join('|')
  if (Array.isArray(type)) return type.join('|')
  switch (type) {
    case 'string':
      return schema.enum === undefined ? 'text' : 'choice'
    case 'integer':
      return 'n'
    case 'array': {
      const inner = typeof items === 'object' && !Array.isArray(items) ? valueName(items as FieldSchema) : 'value'
      return inner === 'json' ? 'json' : `${inner},…`
    }
    case undefined:
    case 'object':
      return 'json'
    default:
      return type as string
  }
}
