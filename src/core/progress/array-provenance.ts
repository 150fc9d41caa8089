/** The attribute of an output that says what made it. */
export const PROVENANCE = 'bellis'

/** What made an array: the value of its attribute `bellis`. */
export interface ArrayProvenance {
  /** The version of Bellis. */
  readonly version: string
  /** The name of the task. */
  readonly task: string
  /** The id of the task in its pipeline, if that is not its name. */
  readonly id?: string
  /** The configuration of the task, without secrets. */
  readonly config: unknown
  /** The arrays that the task reads: absolute paths, or addresses without their queries. */
  readonly inputs: readonly string[]
  /** The name of the run. */
  readonly run: string
  /** The id of the record of the run, as in the mark of the array. */
  readonly record: string
  /** When the run was first started, ISO. */
  readonly started: string
  /** When the run ended in which the last block of the task was done, ISO. Without it the array is not complete. */
  readonly ended?: string
}

type Attributes = Readonly<Record<string, unknown>>

/** The provenance in the attributes of an array; undefined if there is none, or if it can't be understood. */
export function provenanceIn(attributes: Attributes): ArrayProvenance | undefined {
  const found = storedProvenance(attributes) as Partial<ArrayProvenance> | null | undefined
  if (typeof found !== 'object' || found === null) return undefined
  const { version, task, id, config, inputs, run, record, started, ended } = found
  const isText = (value: unknown) => typeof value === 'string'
  if (![version, task, run, record, started].every(isText)) return undefined
  if (![id, ended].every((value) => value === undefined || isText(value))) return undefined
  if (!Array.isArray(inputs) || !inputs.every(isText)) return undefined
  return { ...found, config: config ?? {} } as ArrayProvenance
}

/** What an array says of what made it, unchecked: formats without objects have it as a text in JSON. */
export function storedProvenance(attributes: Attributes): unknown {
  const value = attributes[PROVENANCE]
  if (typeof value !== 'string') return value
  try {
    return JSON.parse(value)
  } catch {
    return undefined
  }
}

/** Attributes without what made their array: it does not hold for a copy. */
export function withoutProvenance(attributes: Attributes): Attributes {
  if (!(PROVENANCE in attributes)) return attributes
  // Their hidden properties say how numbers were written.
  const { [PROVENANCE]: _, ...kept } = Object.getOwnPropertyDescriptors(attributes)
  return Object.defineProperties({}, kept)
}
