/** Partition and state, one line for each state that nodes of a partition have. The default partition ends in `*`. */
export const SINFO_FORMAT = '%P %T'

/** Idle, in use, or switched off to save power; a `*` would mean that it does not answer, a `$` that it is being serviced. */
const CAN_BE_USED = /^(idle|mixed|allocated|completing|planned)[~#+@^!%-]?$/

/**
 * Whether no node of these partitions can be used now.
 * @param partitions by their names; undefined: the default one
 * @returns false if there are no nodes at all
 */
export function areAllUnusable(printed: string, partitions: readonly string[] | undefined): boolean {
  const states = printed.split('\n').flatMap((line) => {
    const [, name, isDefault, state] = /^\s*(\S+?)(\*?) (\S+)\s*$/.exec(line) ?? []
    if (name === undefined || state === undefined) return []
    return (partitions?.includes(name) ?? isDefault === '*') ? [state] : []
  })
  return states.length > 0 && !states.some((state) => CAN_BE_USED.test(state))
}
