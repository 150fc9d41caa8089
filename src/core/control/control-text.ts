import type { ControlEvent } from '../events.ts'

/** What a command did to a run, for users: half a sentence, after the name of the run. */
export function describeControl(event: ControlEvent): string {
  switch (event.type) {
    case 'stopping':
      return event.now
        ? 'stopping at once: running blocks are done again when the run continues'
        : 'stopping: running blocks may finish'
    case 'scaled': {
      const { workers, before, most } = event
      const count = `${workers} ${workers === 1 ? 'worker' : 'workers'}`
      const change = workers === before ? `${count}, as before` : `${count} instead of ${before}`
      const leaving = workers < before ? '; the others leave when their running block has ended' : ''
      const limit = most === undefined ? '' : `; its resources are enough for ${most} at the same time`
      return `${change}${leaving}${limit}`
    }
    default:
      return event satisfies never
  }
}
