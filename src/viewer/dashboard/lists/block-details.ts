import type {
  AttemptDetails,
  DescribedBoardTask,
  FailureSummary,
  OutputLayer,
  RunSummary,
} from '../../../core/board/summary.ts'
import { type Roi, showSlice } from '../../../core/geometry/roi.ts'
import { createBlockGrid } from '../../../core/grid/block-grid.ts'
import { copyButton } from '../../shared/copy-button.ts'
import { make } from '../../shared/elements.ts'
import { showMs, showTime } from '../text.ts'
import type { LogMark } from './log-dialog.ts'
import { inNanometers, inVoxels, showRegion } from './region-text.ts'

/** What the details of a block lead to. */
export interface BlockActions {
  /** Marks it on the map, and goes to it in the volume. */
  mark(task: number, index: number): void
  /** Goes to it on the map. */
  onMap(task: number, index: number): void
  /** Undefined while there is no volume of what the task writes. */
  inVolume(task: number): ((index: number) => void) | undefined
  outputOf(task: number): OutputLayer | undefined
  /** Asks whether to do a region again, in nm; undefined if the page may not do that. */
  again(): ((region: string) => void) | undefined
  openLog(workerId: string, mark?: LogMark): void
  attempts(task: number, index: number): Promise<readonly AttemptDetails[]>
}

/** The details of a failed block: its regions, every attempt with its error and log, and where it is. `loaded` resolves when the attempts are there. */
export function blockDetails(
  failure: FailureSummary,
  task: DescribedBoardTask,
  actions: BlockActions,
  { started, workers }: Pick<RunSummary, 'started' | 'workers'>,
): { readonly element: HTMLElement; readonly loaded: Promise<void> } {
  const { task: number, index } = failure
  const { readRoi, writeRoi } = createBlockGrid(task.grid).block(index)
  const onMap = make('button', { type: 'button' }, 'Show on the map')
  onMap.addEventListener('click', () => actions.onMap(number, index))
  const buttons = make('p', { class: 'actions' }, onMap)
  const fly = actions.inVolume(number)
  if (fly !== undefined) {
    const button = make('button', { type: 'button' }, 'Show in the volume')
    button.addEventListener('click', () => fly(index))
    buttons.append(button)
  }
  const again = actions.again()
  if (again !== undefined) {
    const button = make('button', { type: 'button' }, 'Do again…')
    button.addEventListener('click', () => again(showRegion(inNanometers(writeRoi, task))))
    buttons.append(button)
  }
  const regions = [...regionLines('writes', writeRoi, task, actions.outputOf(number))]
  if (showRegion(readRoi) !== showRegion(writeRoi)) {
    regions.push(...regionLines('reads', readRoi, task, actions.outputOf(number)))
  }
  const attempts = make('div', { class: 'attempts' })
  const hasLog = (workerId: string) => workers.some(({ id, hasLog }) => id === workerId && hasLog)
  const loaded = actions.attempts(number, index).then((all) => {
    const known = all.length === 0 ? [lastAttempt(failure)] : all
    attempts.replaceChildren(
      ...known.toReversed().map((attempt, i, shown) => {
        const before = shown[i - 1]
        const isSame = before !== undefined && before.stack === attempt.stack && before.message === attempt.message
        const name = `${task.id}/${index}`
        const open = hasLog(attempt.workerId)
          ? () => actions.openLog(attempt.workerId, markOf(attempt, name))
          : undefined
        return attemptPart(attempt, { isSame, started, open })
      }),
    )
  })
  const element = make('div', { class: 'details' }, buttons, make('dl', { class: 'regions' }, ...regions), attempts)
  return { element, loaded }
}

/** Where an attempt failed in the log of its worker. */
const markOf = ({ logBytes, attempt }: AttemptDetails, name: string): LogMark | undefined =>
  logBytes === undefined ? undefined : { at: logBytes, text: `${name}: attempt ${attempt} failed here` }

function* regionLines(
  name: string,
  roi: Roi,
  task: DescribedBoardTask,
  output: OutputLayer | undefined,
): Generator<HTMLElement> {
  const line = (unit: string, text: string) =>
    make(
      'dd',
      { class: 'line' },
      make('code', {}, text),
      ` ${unit}`,
      copyButton(text, `the region it ${name}, in ${unit}`),
    )
  yield make('dt', {}, name)
  yield line('nm', showRegion(inNanometers(roi, task)))
  const voxels = inVoxels(roi, output)
  if (voxels !== undefined) yield line('voxels', showSlice(voxels))
}

/** What is known without a record. */
const lastAttempt = ({ attempts, workerId, time, code, message }: FailureSummary): AttemptDetails => ({
  ...{ attempt: attempts, workerId, host: '', time, durationMs: 0, code, message },
})

function attemptPart(
  { attempt, workerId, host, time, durationMs, code, message, stack, logBytes }: AttemptDetails,
  {
    isSame,
    started,
    open,
  }: {
    /** Whether the attempt after it failed in the same way. */
    readonly isSame: boolean
    readonly started: number | undefined
    readonly open: (() => void) | undefined
  },
): HTMLElement {
  const facts = [
    `attempt ${attempt}`,
    host === '' ? workerId : `${workerId} on ${host}`,
    showTime(time, started),
    ...(durationMs > 0 ? [`after ${showMs(durationMs)}`] : []),
    ...(code === 'BLOCK_FAILED' ? [] : [code]),
  ]
  const head = make('p', { class: 'by' }, facts.join(' · '))
  if (open !== undefined) {
    const button = make(
      'button',
      { type: 'button' },
      logBytes === undefined ? `Log of ${workerId}` : 'Log at this attempt',
    )
    button.addEventListener('click', open)
    head.append(' ', button)
  }
  if (isSame) return make('div', { class: 'attempt' }, head, make('p', { class: 'by' }, 'the same error'))
  const text = stack ?? message
  const error = make('pre', { class: 'stack', tabindex: 0, 'aria-label': `The error of attempt ${attempt}` }, text)
  return make('div', { class: 'attempt' }, head, error)
}
