import type { RunDescription, RunSummary } from '../../core/board/summary.ts'
import type { RunCondition } from '../../core/events.ts'
import { element, setText } from '../shared/elements.ts'
import type { Connection, RunModel } from './run-model.ts'
import { plural } from './text.ts'

/** The message of the page while it gets no updates. */
const NO_CONNECTION = {
  lost: [
    'bellis no longer responds.',
    'It was killed, or the connection to it is broken. If the connection is restored, this page continues; a run that is started again has a page with a new address.',
  ],
  full: [
    'This run is already open in too many windows.',
    'When one of them is closed, this page continues automatically.',
  ],
} as const satisfies Partial<Record<Connection, readonly [what: string, then: string]>>

/** Shows the condition of the run, and the most important message. */
export function showState(connection: Connection, { summary, description }: RunModel): void {
  const condition = summary?.condition ?? 'waiting'
  const hasEnded = condition !== 'running' && condition !== 'waiting'
  const isUnknown = connection !== 'open' && !(connection === 'ended' && hasEnded)
  const chip = element('condition')
  chip.dataset.condition = isUnknown ? 'unknown' : condition
  const known = summary?.isRemoved === true ? 'folder removed' : condition
  setText(chip, !isUnknown ? known : connection === 'lost' ? 'no answer' : 'not followed')
  if (connection === 'lost' || connection === 'full') {
    const [what, then] = NO_CONNECTION[connection]
    showMessage('alert', what, then)
    return
  }
  const again = `To open it again: ${description.command}`
  if (connection === 'replaced') {
    const address = `The address of the page of --dashboard is in ${description.folder}/dashboard.json.`
    showMessage('alert', 'The page was started again and has a new address.', `${again}. ${address}`)
    return
  }
  if (isUnknown) {
    showMessage('plain', 'bellis has ended and no longer updates this page.', again)
    return
  }
  const message = messageOf(condition, summary, description)
  if (message === undefined) element('message').hidden = true
  else showMessage(message[0], message[1], message[2] + (connection === 'ended' ? ` bellis has ended. ${again}` : ''))
}

/** Explains the condition of a run, and what to do. */
function messageOf(
  condition: RunCondition,
  summary: RunSummary | undefined,
  { tasks }: RunDescription,
): readonly [kind: 'alert' | 'good' | 'plain', what: string, then: string] | undefined {
  if (summary?.isRemoved === true)
    return ['alert', "The run's folder was removed.", 'This page shows the last known state.']
  const count = (of: 'failed' | 'orphaned') => summary?.tasks.reduce((sum, task) => sum + task[of], 0) ?? 0
  switch (condition) {
    case 'done':
      return ['good', 'All blocks are done.', '']
    case 'failed': {
      const number = summary?.tasks.findIndex(({ error }) => error !== undefined) ?? -1
      if (number >= 0 && count('failed') === 0) {
        return ['alert', `${tasks[number]?.id} was abandoned.`, summary?.tasks[number]?.error ?? '']
      }
      const orphans = count('orphaned') === 0 ? '' : `, ${plural(count('orphaned'), 'block')} orphaned`
      return ['alert', `${plural(count('failed'), 'block')} failed${orphans}.`, 'The same command retries them.']
    }
    case 'stopped':
      return ['plain', 'The run was stopped before its end.', 'The same command continues it.']
    case 'interrupted':
      return [
        'alert',
        'The run ended unexpectedly: its coordinator was killed, or its machine went down.',
        'The same command continues it.',
      ]
    case 'waiting':
      return ['plain', 'The run has not started yet.', 'This page starts with the first block.']
    case 'running':
      return undefined
    default:
      return condition satisfies never
  }
}

export function showMessage(kind: 'alert' | 'good' | 'plain', what: string, then: string): void {
  const message = element('message')
  message.dataset.kind = kind
  setText(element('what'), what)
  setText(element('then'), then)
  message.hidden = false
}
