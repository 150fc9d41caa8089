import { type ArrayProvenance, provenanceIn } from '../../../core/progress/array-provenance.ts'
import { showTime } from '../../../core/text/local-time.ts'
import { isEmptyValue, showValue } from '../../../core/text/parameters.ts'
import { shorten } from '../../../core/text/shorten.ts'

const MAX_SHOWN_INPUTS = 3
const MAX_VALUE_LENGTH = 60

/** What made an array, for people: names and texts. @returns nothing if the array does not say */
export function describeProvenance(attributes: Readonly<Record<string, unknown>>): (readonly [string, string])[] {
  const made = provenanceIn(attributes)
  if (made === undefined) return []
  const { version, task, id, inputs, run } = made
  const parameters = parametersOf(made)
  const others = inputs.length - MAX_SHOWN_INPUTS
  const from = [...inputs.slice(0, MAX_SHOWN_INPUTS), ...(others > 0 ? [`${others} more`] : [])]
  return [
    ['made by', `${task}${id === undefined ? '' : ` ("${id}")`} of Bellis ${version}, run ${run}`],
    ...(from.length === 0 ? [] : [['made from', from.join(', ')] as const]),
    ...(parameters === '' ? [] : [['parameters', parameters] as const]),
    ['made at', timesOf(made)],
  ]
}

function timesOf({ started, ended }: ArrayProvenance): string {
  const start = showTime(started)
  if (ended === undefined) return `started ${start}, not finished`
  const end = showTime(ended)
  if (end === start) return start
  return `${start} to ${end.slice(0, 10) === start.slice(0, 10) ? end.slice(11) : end}`
}

/** The fields of a configuration, except for its paths. */
const parametersOf = ({ config, inputs }: ArrayProvenance): string =>
  Object.entries(typeof config === 'object' && config !== null ? config : {})
    .filter(([name, value]) => name !== 'output' && name !== 'input' && !inputs.includes(value as string))
    .filter(([, value]) => !isEmptyValue(value))
    .map(([name, value]) => `${name}=${shorten(showValue(value), MAX_VALUE_LENGTH)}`)
    .join(' ')
