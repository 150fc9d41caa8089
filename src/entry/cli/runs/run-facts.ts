import { resolve } from 'node:path'
import { showTime } from '../../../core/text/local-time.ts'
import { showDuration } from '../../../core/text/numbers.ts'
import { commandLineOf } from '../../run-folder/continuation.ts'
import { keptOutputs } from '../../run-folder/run-place.ts'
import type { RunState } from '../../run-folder/run-state.ts'
import { type LabelledText, labelled } from '../layout.ts'

const MAX_SHOWN_OUTPUTS = 4

/** What is known of a run besides its counts. */
export interface RunFacts {
  /** Its command, for a shell, without secrets; undefined for runs of version 0.1.0. */
  readonly command?: string
  /** Where it was started; relative paths start there. */
  readonly directory: string
  /** The arrays that it writes and keeps. */
  readonly outputs: readonly string[]
}

export function factsOf({ document: { command, directory, tasks } }: RunState): RunFacts {
  return {
    ...(command === undefined ? {} : { command: commandLineOf(command) }),
    directory,
    outputs: keptOutputs(tasks),
  }
}

/** The same for people. */
export function describeFacts(state: RunState): string[] {
  const { command, directory, outputs } = factsOf(state)
  const { folder } = state
  const others = outputs.length - MAX_SHOWN_OUTPUTS
  const shown = [...outputs.slice(0, MAX_SHOWN_OUTPUTS), ...(others > 0 ? [`${others} more`] : [])]
  return labelled([
    ...(command === undefined ? [] : [['command', command, 'command'] satisfies LabelledText]),
    ['started in', directory],
    ...(shown.length === 0 ? [] : [['outputs', shown.join(', ')] as const]),
    ['folder', resolve(folder)],
    ['started', timesOf(state)],
  ])
}

/** When it was started first, and how and when it ended. What changes while it is running is not said. */
function timesOf({ document, live, holder }: RunState): string {
  const first = showTime(document.created)
  if (live === undefined || holder !== undefined) return first
  const last = showTime(live.time)
  const { seconds, earlierSeconds = 0, ok } = live
  const took = `${showDuration(seconds)}${earlierSeconds > 0 ? `, ${showDuration(seconds + earlierSeconds)} with its earlier starts` : ''}`
  return `${first}, ${ok === undefined ? 'last active' : 'ended'} ${last}, took ${took}`
}
