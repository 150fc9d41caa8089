import type { ControlEvent, RetriedTask } from '../events.ts'

const LEAVING = 'the others leave when their running blocks have'

/** What a command did to a run, for users: half a sentence, after the name of the run. */
export function describeControl(event: ControlEvent): string {
  switch (event.type) {
    case 'stopping':
      return event.now
        ? 'stopping at once: running blocks are done again when the run continues'
        : 'stopping: running blocks may finish'
    case 'scaled': {
      const { workers, before, most, range, isByItself } = event
      const count = `${workers} ${workers === 1 ? 'worker' : 'workers'}`
      const change = workers === before ? `${count}, as before` : `${count} instead of ${before}`
      const others = before - workers === 1 ? 'the other leaves when its running block has' : LEAVING
      const leaving = workers < before ? `; ${others} ended` : ''
      const limit = most === undefined ? '' : `; its resources are enough for ${most} at the same time`
      const why = isByItself === undefined ? '' : workers > before ? ', since blocks wait' : ', since no block waits'
      const follows = range === undefined ? '' : `; their number follows the work, from ${range.least} to ${range.most}`
      return `${change}${why}${leaving}${limit}${follows}`
    }
    case 'retried':
      return describeRetried(event)
    case 'reset':
      return describeReset(event)
    default:
      return event satisfies never
  }
}

function describeRetried({ taskId, tasks }: Extract<ControlEvent, { type: 'retried' }>): string {
  const sum = (of: (task: RetriedTask) => number) => tasks.reduce((total, task) => total + of(task), 0)
  const failed = tasks.filter((task) => task.failed > 0).map((task) => `${blocks(task.failed)} of ${task.id}`)
  const released = sum((task) => task.released)
  if (failed.length + released === 0) return `no block${taskId === undefined ? '' : ` of ${taskId}`} has failed`
  const again = failed.length === 0 ? [] : [`${failed.join(' and ')} will be tried again`]
  const free = released === 0 ? [] : [`${blocks(released)} ${released === 1 ? 'is' : 'are'} no longer orphaned`]
  return [...again, ...free].join(', and ')
}

function describeReset({ tasks }: Extract<ControlEvent, { type: 'reset' }>): string {
  const parts = tasks.flatMap(({ id, completed, failed, running }) => {
    const count = completed + failed + running
    return count === 0 ? [] : [`${blocks(count)} of ${id}`]
  })
  if (parts.length === 0) return 'no block has been started there'
  const running = tasks.reduce((sum, task) => sum + task.running, 0)
  const interrupted =
    running === 0 ? '' : `; ${running === 1 ? '1 is running and is' : `${running} are running and are`} interrupted`
  return `${parts.join(' and ')} will be done again${interrupted}`
}

const blocks = (count: number): string => `${count} ${count === 1 ? 'block' : 'blocks'}`
