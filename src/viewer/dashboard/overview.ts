import type { RunDescription, RunSummary } from '../../core/board/summary.ts'
import { showCount, showDuration } from '../../core/text/numbers.ts'
import { element, make, setText } from '../shared/elements.ts'
import { STATE_ORDER, STATE_TEXT } from './blocks/state-colors.ts'
import { plural, showNumber, showShare, showTime } from './text.ts'

/** What the run does, and what it writes. */
export function showHeading({ title, outputs, folder }: RunDescription): void {
  document.title = `${title} · Bellis`
  setText(element('title'), title)
  element('title').title = folder
  setText(element('written'), outputs.length === 0 ? '' : `→ ${outputs.map(({ name }) => name).join(', ')}`)
  element('written').title = outputs.map(({ path }) => path).join('\n')
}

export function showLegend(hasCells: boolean): void {
  const states = [...STATE_ORDER, ...(hasCells ? (['partly'] as const) : [])]
  element('legend').append(
    ...states.map((name) =>
      make('li', { style: `--key: var(--state-${name})`, title: STATE_TEXT[name], 'data-state': name }, LEGEND[name]),
    ),
  )
}

const LEGEND = { ...STATE_TEXT, orphaned: 'orphaned', leftOut: 'left out' }

/** States that most runs do not have are in the legend only if there are such blocks. */
function showRareStates(tasks: RunSummary['tasks']): void {
  for (const name of ['masked', 'leftOut'] as const) {
    const key = element('legend').querySelector<HTMLElement>(`[data-state="${name}"]`)
    if (key !== null) key.hidden = tasks.every((task) => !task[name])
  }
}

export function showOverview({ tasks, seconds, etaSeconds, condition, started, ended }: RunSummary): void {
  const sum = (of: (task: RunSummary['tasks'][number]) => number) => tasks.reduce((all, task) => all + of(task), 0)
  const total = sum((task) => task.total)
  const completed = sum((task) => task.completed)
  const rate = sum((task) => task.rate)
  showRareStates(tasks)
  setText(element('share'), showShare(completed, total))
  const parts = [
    `${showNumber(completed)} of ${plural(total, 'block')}`,
    ...(condition === 'running' && rate > 0 ? [`${showCount(rate)}/s`] : []),
    ...(seconds > 0 ? [showDuration(seconds, 0)] : []),
    ...(etaSeconds !== undefined && etaSeconds > 0 ? [`about ${showDuration(etaSeconds, 0)} left`] : []),
  ]
  setText(element('times'), parts.join(' · '))
  const dates = started === undefined ? [] : [`Started ${showTime(started)}`]
  const last = condition === 'interrupted' ? 'last heard of' : 'ended'
  if (ended !== undefined) dates.push(`${last} ${showTime(ended, started)}`)
  setText(element('dates'), dates.join(' · '))
  showTitle(`${showShare(completed, total)} ${element('title').textContent} · Bellis`, condition)
}

/** A browser redraws its window for a new title, which costs as much as drawing the page. */
const TITLE_MS = 5000
let lastTitle: { readonly condition: string; readonly at: number } | undefined

function showTitle(title: string, condition: string): void {
  const now = performance.now()
  if (lastTitle?.condition === condition && now - lastTitle.at < TITLE_MS) return
  lastTitle = { condition, at: now }
  if (document.title !== title) document.title = title
}
