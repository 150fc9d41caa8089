import { ConfigError, toWireError, type WireError } from '../../core/errors.ts'
import type { Outcome } from '../../core/protocol/messages.ts'
import type { Clock } from '../../ports/clock.ts'
import type { RunningBlock, TaskBlock } from '../tasks/task-options.ts'
import { type BlockLease, withinBlock } from './running-block.ts'
import { type LoadedTask, NOTED, RETURNED } from './worker-options.ts'

/** The most characters that are sent of an error's message, and of its stack. */
const MAX_ERROR_TEXT = 8192

interface AttemptOptions {
  readonly clock: Clock
  /** Called with an error that was not noted yet. */
  onFailed(error: WireError): void
}

/** Runs a task's function on a block, with the task's own check before and after. Whatever is thrown becomes the outcome. */
export async function attemptBlock(
  task: LoadedTask,
  block: RunningBlock,
  { clock, onFailed, ...lease }: BlockLease & AttemptOptions,
): Promise<Outcome> {
  const start = clock.now()
  const failed = (error: WireError, isNoted = false): Outcome => {
    const outcome = { status: 'failed', ms: clock.now() - start, error: cutError(error) } as const
    if (!isNoted) onFailed(outcome.error)
    return outcome
  }
  try {
    if (task.isDone !== undefined && (await check(task.isDone, block))) return { status: 'skipped' }
    if ((await withinBlock(lease, () => task.process(block, { signal: lease.signal }))) === RETURNED)
      return { status: 'returned' }
    if (task.isDone !== undefined && !(await check(task.isDone, block))) {
      return failed({
        code: 'BLOCK_CHECK_FAILED',
        message: `isDone returned false for block ${block.taskId}/${block.index} after its function had returned; check that the function writes what isDone looks for.`,
      })
    }
    return { status: 'done', ms: clock.now() - start }
  } catch (error) {
    return failed(toWireError(error), error instanceof Error && NOTED in error)
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

/** An error, cut to what is sent. */
export const cutError = ({ code, message, stack }: WireError): WireError => ({
  code,
  message: message.slice(0, MAX_ERROR_TEXT),
  ...(stack === undefined ? {} : { stack: stack.slice(0, MAX_ERROR_TEXT) }),
})
