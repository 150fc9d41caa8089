import { toWireError } from '../../core/errors.ts'
import { createScheduler, type ScheduledBlock, type Scheduler } from '../../core/scheduling/scheduler.ts'
import type { ParentLink } from './parent-link.ts'
import {
  type EngineMessage,
  parseScheduleMessage,
  parseScheduleRequest,
  type ScheduleMessage,
  type TaskSpec,
} from './parent-messages.ts'

/** Hands out blocks to a parent that does them as it likes, without workers, until it closes the scheduler or has gone. */
export async function serveSchedule(link: ParentLink, request: unknown): Promise<void> {
  const scheduler = answerTo(link, () => {
    const made = createScheduler(parseScheduleRequest(request).tasks.map(schedulerTask))
    return { made, answer: stateOf(made) }
  })?.made
  if (scheduler === undefined) return
  for (;;) {
    const { value, done } = await link.next()
    if (done) return
    link.take()
    if ((value as { readonly type?: unknown }).type === 'close') return
    answerTo(link, () => ({ answer: obey(scheduler, parseScheduleMessage(value)) }))
  }
}

const schedulerTask = ({ id, after, totalRoi, readRoi, writeRoi, fit, readWriteConflict, maxRetries }: TaskSpec) => ({
  ...{ id, after, totalRoi, readRoi, writeRoi, fit, readWriteConflict },
  ...(maxRetries === undefined ? {} : { maxRetries }),
})

/** Sends the answer, or the error in its place. */
function answerTo<Result extends { readonly answer: EngineMessage }>(
  link: ParentLink,
  make: () => Result,
): Result | undefined {
  try {
    const result = make()
    link.send(result.answer)
    return result
  } catch (error) {
    link.send({ type: 'error', error: toWireError(error, 'INTERNAL') })
    return undefined
  }
}

function obey(scheduler: Scheduler, message: ScheduleMessage): EngineMessage {
  switch (message.type) {
    case 'acquire':
      return stateOf(scheduler, scheduler.acquire(message.taskId)[0])
    case 'release':
      scheduler.release({ taskId: message.taskId, index: message.block }, message.outcome)
      return stateOf(scheduler)
    default:
      return message satisfies never
  }
}

const stateOf = (scheduler: Scheduler, block?: ScheduledBlock): EngineMessage => ({
  type: 'scheduled',
  states: scheduler.states(),
  block: block === undefined ? null : { index: block.index, read: block.readRoi, write: block.writeRoi },
})
