import type { TaskCounts } from '../../../../core/events.ts'
import { showWhole } from '../../../../core/text/numbers.ts'
import { shorten } from '../../../../core/text/shorten.ts'
import { paint } from '../../output.ts'

const MAX_BAR = 24
const MIN_BAR = 6
const MIN_NAME = 8

/** What a line says of a task besides its counts. */
export interface TaskDetails {
  /** `12 blocks/s`; undefined before the first block and once the task is over, as are the others. */
  readonly rate?: string
  /** `3 min 20 s left` */
  readonly left?: string
  /** `8 running` */
  readonly running?: string
  /** `2 failed, 5 orphaned`; '' if there are none */
  readonly trouble: string
}

/** In the order in which they are shown. */
export const DETAILS = ['rate', 'left', 'running'] as const
/** In the order in which they are left out of a line that would be too long. */
const DISPENSABLE: readonly (typeof DETAILS)[number][] = ['running', 'rate', 'left']

/**
 * Room that details get, with the comma before them: a bar that grew and shrank with every change of a number would be hard to read. Longer
 * ones take more.
 */
const ROOM: Readonly<Record<(typeof DETAILS)[number], number>> = { rate: 16, left: 18, running: 12 }

/** How a line is drawn. */
export interface LineSetting {
  /** Room for the name of every task. */
  readonly nameWidth: number
  readonly columns: number
  readonly stream: NodeJS.WriteStream
}

/**
 * The line of a task: its name, a bar, its counts and details. A terminal that is too narrow gets a shorter bar, then fewer
 * details (the time left goes last), then no bar, then a shorter name: a line that wraps could not be redrawn in place.
 */
export function barLine(task: TaskCounts, details: TaskDetails, { nameWidth, columns, stream }: LineSetting): string {
  const counts = `${showWhole(task.completed)}/${showWhole(chosenOf(task))}`
  const trouble = details.trouble === '' ? '' : `, ${details.trouble}`
  // The last column stays empty: some terminals wrap once it is filled.
  const countRoom = 2 * showWhole(task.total).length + 1
  const rest = columns - 1 - nameWidth - 1 - countRoom - trouble.length
  const shown: (typeof DETAILS)[number][] = [...DETAILS]
  const text = () => shown.flatMap((name) => (details[name] === undefined ? [] : [`, ${details[name]}`])).join('')
  const lengthOf = (name: (typeof DETAILS)[number]) => Math.max(ROOM[name], (details[name]?.length ?? 0) + 2)
  const reserved = () => shown.reduce((sum, name) => sum + lengthOf(name), 0)
  for (const name of DISPENSABLE) {
    const barLength = name === 'left' ? 0 : MIN_BAR + 1
    if (reserved() + barLength <= rest) break
    shown.splice(shown.indexOf(name), 1)
  }
  const room = rest - reserved() - 1
  const bar = room < MIN_BAR ? '' : `${drawBar(task, Math.min(MAX_BAR, room), stream)} `
  const width = Math.min(nameWidth, Math.max(MIN_NAME, nameWidth + Math.min(0, rest - text().length)))
  const name = shorten(task.id, width).padEnd(width)
  return `${name} ${bar}${counts}${text()}${trouble === '' ? '' : paint('red', trouble, stream)}`
}

/** The blocks of a task that are not left out. */
export const chosenOf = ({ total, leftOut = 0 }: TaskCounts): number => total - leftOut

function drawBar(task: TaskCounts, width: number, stream: NodeJS.WriteStream): string {
  const [completed, total] = [task.completed, chosenOf(task)]
  const full = Math.floor((total === 0 ? 1 : completed / total) * width)
  return `${paint('green', '━'.repeat(full), stream)}${paint('gray', '─'.repeat(width - full), stream)}`
}
