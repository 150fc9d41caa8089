import type { z } from 'zod'

/** A field of a configuration as JSON Schema. */
export type FieldSchema = z.core.JSONSchema.BaseSchema

/** All interpretations of a command-line text for a schema, the likeliest first. */
export function meanings(text: string, schema: FieldSchema): unknown[] {
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

/** The placeholder of a value in the help: `number`, `number,…`, `json`. */
export function valueName(schema: FieldSchema): string {
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
