/** A value of a configuration in a line of text, as short as on a command line: `reflect`, `16,32,32`, `"two words"`. */
export function showValue(value: unknown): string {
  if (typeof value === 'string') return /^[^\s"'=]+$/.test(value) ? value : JSON.stringify(value)
  const isPlain = (item: unknown) => typeof item !== 'object' && !String(item).includes(',')
  if (Array.isArray(value) && value.every(isPlain)) return value.map(showValue).join(',')
  return JSON.stringify(value)
}

/** Whether a value says nothing: absent, an empty text, an empty list, an object without fields. */
export const isEmptyValue = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === '' ||
  (typeof value === 'object' && Object.keys(value).length === 0)
