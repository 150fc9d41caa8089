import { InfrastructureError } from '../../../core/errors.ts'

/** What a file of Google's has. */
export type CredentialFields = Readonly<Record<string, unknown>>

export const optional = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined

export function textIn(file: string, fields: CredentialFields, name: string): string {
  const found = optional(fields[name])
  if (found === undefined) throw unusable(file, `it has no "${name}"`)
  return found
}

export const unusable = (file: string, why: string, cause?: unknown): InfrastructureError =>
  new InfrastructureError('UNAUTHORIZED', `Can't use the credentials in ${file}: ${why}.`, { cause })
