import { reasonOf } from './error-reason.ts'

interface Failure {
  readonly error: { readonly code: string; readonly message: string }
}

/** Failures with the same error, or with errors that differ only in numbers, such as the position of a chunk. */
export interface FailureGroup<F extends Failure> {
  /** In the order in which they were given; at least one. */
  readonly failures: readonly [F, ...F[]]
  /** Whether all of them have exactly the same message. */
  readonly isSame: boolean
}

/** What messages of the same kind have in common: their reason without its numbers. */
export const kindOfMessage = (message: string): string => reasonOf(message).replaceAll(/\d+/g, '#')

/** Groups failures by their error, the largest group first. */
export function groupFailures<F extends Failure>(failures: readonly F[]): FailureGroup<F>[] {
  const groups = new Map<string, [F, ...F[]]>()
  for (const failure of failures) {
    const kind = `${failure.error.code} ${kindOfMessage(failure.error.message)}`
    const group = groups.get(kind)
    if (group === undefined) groups.set(kind, [failure])
    else group.push(failure)
  }
  return [...groups.values()]
    .sort((a, b) => b.length - a.length)
    .map((group) => ({
      failures: group,
      isSame: group.every(({ error }) => error.message === group[0].error.message),
    }))
}
