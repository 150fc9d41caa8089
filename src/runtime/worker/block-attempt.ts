import { ConfigError, toWireError, type WireError } from '../../core/errors.ts'
import type { Outcome } from '../../core/protocol/messages.ts'
import type { Clock } from '../../ports/clock.ts'
import type { TaskBlock } from '../tasks/task-options.ts'
import { type LoadedTask, RETURNED } from './worker-options.ts'

/** Characters of an error's message and of its stack that are sent. */
const MAX_ERROR_TEXT = 8192

/** Has a task's function do a block, with the task's own check before and after. Whatever is thrown is the block's outcome. */
export async function attemptBlock(
  task: LoadedTask,
  block: TaskBlock,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<Outcome> {
  const begun = clock.now()
  const failed = (error: WireError): Outcome => ({ status: 'failed', ms: clock.now() - begun, error: cutError(error) })
  try {
    if (task.isDone !== undefined && (await check(task.isDone, block))) return { status: 'skipped' }
    if ((await task.process(block, { signal })) === RETURNED) return { status: 'returned' }
    if (task.isDone !== undefined && !(await check(task.isDone, block))) {
      return failed({
        code: 'BLOCK_CHECK_FAILED',
        message: `isDone says that block ${block.taskId}/${block.index} is not done after its function returned.`,
      })
    }
    return { status: 'done', ms: clock.now() - begun }
  } catch (error) {
    return failed(toWireError(error))
  }
}

async function check(isDone: NonNullable<LoadedTask['isDone']>, block: TaskBlock): Promise<boolean> {
  try {
    return await isDone(block)
  } catch (error) {
    const { message, stack } = toWireError(error)
    throw Object.assign(new ConfigError('BLOCK_CHECK_FAILED', `isDone threw: ${message}`, { cause: error }), { stack })
  }
}

/** As much of an error as is sent. */
export const cutError = ({ code, message, stack }: WireError): WireError => ({
  code,
  message: message.slice(0, MAX_ERROR_TEXT),
  ...(stack === undefined ? {} : { stack: stack.slice(0, MAX_ERROR_TEXT) }),
})
