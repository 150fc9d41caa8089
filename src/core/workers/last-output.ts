import { hideQueries } from '../text/shown-address.ts'
import { withoutFailureNotes } from './failure-note.ts'
import { isHeapFull } from './full-heap.ts'

const LAST_LINES = 10
const LAST_CHARACTERS = 4096

/** The last lines of a log, as an error or a report shows them. @param log its end */
export const lastOutput = (log: string): string => shorten(withoutFailureNotes(log))

const shorten = (text: string): string =>
  // After this, a native stack trace would hide the reason.
  hideQueries(isHeapFull(text) ? text.replace(/(^FATAL ERROR: .*heap out of memory$)[\s\S]*/m, '$1') : text)
    .slice(-LAST_CHARACTERS)
    .trim()
    .split('\n')
    .slice(-LAST_LINES)
    .join('\n')
