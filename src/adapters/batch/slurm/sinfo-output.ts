/** Partition and state, one line for each state that nodes of a partition have. The default partition ends in `*`. */
export const SINFO_FORMAT = '%P %T'

/** Idle, in use, or switched off to save power; a `*` would mean that it does not answer, a `$` that it is being serviced. */
const CAN_BE_USED = /^(idle|mixed|allocated|completing|planned)[~#+@^!%-]?$/

/**
 * Whether a node of these partitions can't be used now: what was asked for may be there, and only have to wait.
 * @param partitions by their names; undefined: the default one
 * @returns false if there are no nodes at all
 */
export function isOneUnusable(printed: string, partitions: readonly string[] | undefined): boolean {
  return printed.split('\n').some((line) => {
    const [, name, isDefault, state] = /^\s*(\S+?)(\*?) (\S+)\s*$/.exec(line) ?? []
    if (name === undefined || state === undefined) return false
    return (partitions?.includes(name) ?? isDefault === '*') && !CAN_BE_USED.test(state)
  })
}
