/** V8 prints this, and then a native stack trace of some 20 lines, before it ends the process. */
const FULL = /^FATAL ERROR: .*heap out of memory$/m

/** For users. */
export const HEAP_IS_FULL =
  'out of memory: its JavaScript heap reached its limit; set a higher one with NODE_OPTIONS=--max-old-space-size=<MB>'

/** Whether a process ended because its JavaScript heap was full. @param output what it printed */
export const isHeapFull = (output: string): boolean => FULL.test(output)
