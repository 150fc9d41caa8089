import { showTime } from '../../../core/text/local-time.ts'
import { ownCommand } from '../../own-command.ts'
import { blocksOf, type OlderBlocks, type RecordedStart, type TaskAtStart } from './changed-code.ts'
import { type InputAtStart, isSameInput } from './input-identity.ts'

/** An input that has changed since blocks of a task were done. */
export interface ChangedInput extends Omit<OlderBlocks, 'id'> {
  readonly task: string
  /** The input: absolute. */
  readonly path: string
  /** The run that has written it, if it is known. */
  readonly run?: string
  /** When that run completed it, ISO; null if it has not. */
  readonly runCompleted?: string | null
  /** When its file, its metadata or its newest chunk was written, ISO, if no run says more. */
  readonly modified?: string
}

/**
 * Finds the inputs that have changed since blocks were done that are recorded as done.
 * @param starts the earlier ones, the first one first
 * @param now the tasks and the inputs as they are
 */
export const changedInputs = (
  starts: readonly RecordedStart[],
  now: Pick<RecordedStart, 'grown'> & {
    readonly tasks: readonly TaskAtStart[]
    readonly inputs: readonly InputAtStart[]
  },
): ChangedInput[] => {
  if (now.grown) return []
  const carriers = carriersOf(starts)
  return now.tasks.flatMap((task) =>
    now.inputs
      .filter(({ path }) => task.reads?.includes(path))
      .flatMap((input) =>
        blocksOf(starts, task, ({ start }) => isOlder(carriers.get(start) ?? start, input)).map(
          ({ id, ...blocks }) => ({
            ...{ task: id, path: input.path },
            ...blocks,
            ...authorOf(input),
          }),
        ),
      ),
  )
}

/** For each start before one at which the volume had grown: the last of these. */
function carriersOf(starts: readonly RecordedStart[]): ReadonlyMap<RecordedStart, RecordedStart> {
  const last = starts.findLastIndex(({ grown }) => grown === true)
  return new Map(starts.slice(0, Math.max(0, last)).map((start) => [start, starts[last] as RecordedStart]))
}

function isOlder(start: RecordedStart, input: InputAtStart): boolean {
  const before = start.inputs?.find(({ path }) => path === input.path)
  if (before !== undefined && !isSameInput(before, input)) return true
  return input.newestChunk !== undefined && input.newestChunk > start.started
}

function authorOf({ run, completed, modified, newestChunk }: InputAtStart): Partial<ChangedInput> {
  if (run !== undefined && run !== '' && newestChunk === undefined) {
    return { run, ...(completed === undefined ? {} : { runCompleted: completed }) }
  }
  const time = newestChunk ?? modified
  return time === undefined ? {} : { modified: time }
}

/**
 * What has changed and how to do the blocks again, for people.
 * @param how what is to be done after the reset, such as `this command`, what does all blocks of the run again, and when it changed, if known
 */
export function describeChangedInputs(
  changed: readonly ChangedInput[],
  folder: string,
  how: { readonly next: string; readonly all: string; readonly when?: string },
): string {
  const inputs = [...new Set(changed.map(({ path }) => path))].map((path) => {
    const found = changed.filter((each) => each.path === path)
    return `${path} has changed (${describeAuthor(found[0] as ChangedInput)}) since ${found.map(describeBlocks).join(', and ')}.`
  })
  const tasks = [...new Set(changed.map(({ task }) => task))]
  const again = ownCommand('reset', folder, ...tasks.flatMap((id) => ['--task', id]))
  const what = inputs.length === 1 ? 'An input' : `${inputs.length} inputs`
  const when = how.when === undefined ? '' : ` ${how.when}`
  return `${what} changed${when}: ${inputs.join(' ')} To do them again: ${again}, then ${how.next}; or ${how.all}.`
}

function describeAuthor({ run, runCompleted, modified }: ChangedInput): string {
  if (run !== undefined) {
    const when =
      runCompleted === null
        ? ', not complete'
        : runCompleted === undefined
          ? ''
          : `, completed ${showTime(runCompleted)}`
    return `now written by run ${run}${when}`
  }
  return modified === undefined ? 'it is another one' : `written ${showTime(modified)}`
}

function describeBlocks({ task, blocks, isExact, completed, from, to }: ChangedInput): string {
  const [start, end] = [showTime(from), showTime(to)]
  const when = start === end ? start : `${start} to ${end}`
  return `${task} did ${isExact ? '' : 'up to '}${blocks} of its ${completed} completed blocks (${when})`
}
