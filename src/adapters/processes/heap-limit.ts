import { getHeapStatistics } from 'node:v8'

const OPTION = /^--max[-_]old[-_]space[-_]size=(\d+)$/

/** The limit that the user has set to the heap of this process and of its children, MB. */
export function chosenHeapMb(): number | undefined {
  const words = [...(process.env.NODE_OPTIONS ?? '').split(/\s+/), ...process.execArgv]
  const chosen = words.flatMap((word) => OPTION.exec(word)?.[1] ?? [])
  return chosen.length === 0 ? undefined : Number(chosen.at(-1))
}

/** The limit of the heap of this process, and of children with the same options, MB. */
export const heapLimitMb = (): number => chosenHeapMb() ?? Math.round(getHeapStatistics().heap_size_limit / 1024 ** 2)
