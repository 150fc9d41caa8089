import { getHeapStatistics } from 'node:v8'

const OPTION = /^--max[-_]old[-_]space[-_]size=(\d+)$/

const YOUNG_OPTION = /^--(?:max|min)[-_]semi[-_]space[-_]size\b/
const YOUNG_LIMIT = '--max-semi-space-size=8'

/** The options that the user has given Node for this process and its children. */
const chosenOptions = (): string[] => [...(process.env.NODE_OPTIONS ?? '').split(/\s+/), ...process.execArgv]

/** Limits the memory for young objects of a child, unless the user has done so. */
export const youngLimit = (): string[] => (chosenOptions().some((word) => YOUNG_OPTION.test(word)) ? [] : [YOUNG_LIMIT])

/** The limit that the user has set to the heap of this process and of its children, MB. */
export function chosenHeapMb(): number | undefined {
  const chosen = chosenOptions().flatMap((word) => OPTION.exec(word)?.[1] ?? [])
  return chosen.length === 0 ? undefined : Number(chosen.at(-1))
}

/** The limit of the heap of this process, and of children with the same options, MB. */
export const heapLimitMb = (): number => chosenHeapMb() ?? Math.round(getHeapStatistics().heap_size_limit / 1024 ** 2)
