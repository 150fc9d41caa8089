import { hideSecrets } from '../run-command.ts'

const SECRET_FIELD = /password|passwd|passphrase|secret|token|credential|(api|access|private)[-_]?key/i

/**
 * A value as JSON has it, to be read by others: without credentials, queries of addresses, and texts in fields that are named like secrets.
 */
export function withoutSecrets(value: unknown): unknown {
  const text = JSON.stringify(value, (key, part: unknown) => {
    if (typeof part === 'bigint' || (typeof part === 'number' && !Number.isFinite(part))) return String(part)
    if (typeof part !== 'string') return part
    return SECRET_FIELD.test(key) ? '…' : hideSecrets(part)
  })
  return text === undefined ? undefined : JSON.parse(text)
}
