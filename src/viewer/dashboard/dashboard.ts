import { PARTLY_DONE } from '../../core/board/cell-map.ts'
import type { RunDescription, RunSummary } from '../../core/board/summary.ts'
import { STATE_CODE } from '../../core/scheduling/state-map.ts'
import { element, make, setText } from '../shared/elements.ts'
import { initialTheme, type Theme, toggleTheme } from '../shared/theme.ts'
import { BlockTip } from './blocks/block-tip.ts'
import { STATE_ORDER, STATE_TEXT } from './blocks/state-colors.ts'
import { FailureList, NoteList } from './event-lists.ts'
import { PACE } from './pace.ts'
import { RateChart } from './rate-chart.ts'
import { type Link, RunModel } from './run-model.ts'
import { bindTabs } from './tabs.ts'
import { TaskCard } from './task-card.ts'
import { plural, showDuration, showNumber, showRate, showShare } from './text.ts'
import { Volumes } from './volumes/volumes.ts'
import { WorkerList } from './worker-list.ts'
import '../shared/style.css'
import './dashboard.css'

const CONDITIONS = {
  waiting: 'not begun',
  on: 'running',
  done: 'finished',
  failed: 'failed',
  stopped: 'stopped',
  killed: 'ended without a word',
  removed: 'folder removed',
} as const satisfies Record<RunSummary['condition'], string>

void start()

async function start(): Promise<void> {
  showTheme(initialTheme())
  const description = await loadDescription()
  document.title = `${description.run} · Bellis`
  setText(element('run'), description.run)
  element('run').title = description.folder
  showLegend(description.tasks.some(({ map }) => map.cell.some((count) => count > 1)))
  const cards: TaskCard[] = []
  const model = new RunModel(description, {
    states: (task, begin, end, code) => {
      cards[task]?.changed(begin, end)
      if (code === STATE_CODE.completed || code === PARTLY_DONE) volumes.written(task, begin, end)
    },
    summary: (summary) => {
      const isSoon = performance.now() - updatedAt < PACE.page
      if (!isSoon || summary.condition !== 'on' || shown !== 'on') update(summary)
    },
    link: (link) => {
      if (model.summary === undefined) showLink(link, model)
      else update(model.summary)
    },
  })
  const volumes = new Volumes(model)
  const tip = new BlockTip(model)
  element('tasks').style.setProperty('--count', String(description.tasks.length))
  for (const [number, task] of description.tasks.entries()) {
    const codes = model.codes[number] as Uint8Array
    const onPoint = (task: number, index: number | undefined, x: number, y: number) => tip.show(task, index, x, y)
    const card = new TaskCard({ task, number, codes, onPoint })
    cards.push(card)
    element('tasks').append(card.element)
    card.placed()
  }
  const tabs = bindTabs(document.querySelector('[role=tablist]') as HTMLElement)
  const chart = new RateChart(element('speed'))
  const workers = new WorkerList(element('workers'), description.tasks)
  const failures = new FailureList(element('failures'), description.tasks, (task, index) => cards[task]?.pointAt(index))
  const notes = new NoteList(element('notes'))
  let hadFailures = false
  let shown: RunSummary['condition'] | undefined
  let updatedAt = Number.NEGATIVE_INFINITY

  function update(summary: RunSummary): void {
    shown = summary.condition
    updatedAt = performance.now()
    for (const [number, task] of summary.tasks.entries()) cards[number]?.update(task)
    showOverview(summary)
    chart.update(summary)
    workers.update(summary)
    failures.update(summary)
    notes.update(summary)
    tip.refresh()
    void volumes.update(summary.volumes)
    volumes.setOn(summary.condition === 'on')
    const failed = summary.tasks.reduce((sum, task) => sum + task.failed, 0)
    setText(element('tab-failures'), failed === 0 ? 'Failed' : `Failed ${showNumber(failed)}`)
    if (failed > 0 && !hadFailures) tabs.select('tab-failures')
    hadFailures = failed > 0
    showLink(model.link, model)
    document.documentElement.dataset.ready = 'true'
  }

  element('theme').addEventListener('click', () => {
    showTheme(toggleTheme())
    for (const card of cards) card.recolor()
    chart.draw()
    volumes.recolor()
  })
}

/** Until it is there: the page may be open before bellis is started again. */
async function loadDescription(): Promise<RunDescription> {
  for (;;) {
    try {
      const response = await fetch('run.json', { cache: 'no-store' })
      if (response.ok) return (await response.json()) as RunDescription
      showMessage('alert', 'This address is no longer valid.', 'Open the one that bellis has printed.')
    } catch {
      showMessage('alert', 'bellis does not answer.', 'This page looks for it again and again.')
    }
    await new Promise((resolve) => setTimeout(resolve, 2000))
  }
}

function showTheme(theme: Theme): void {
  document.documentElement.dataset.theme = theme
}

function showLegend(hasCells: boolean): void {
  const states = [...STATE_ORDER, ...(hasCells ? (['partly'] as const) : [])]
  element('legend').append(
    ...states.map((name) =>
      make('li', { style: `--key: var(--state-${name})`, title: STATE_TEXT[name] }, LEGEND[name]),
    ),
  )
}

const LEGEND = { ...STATE_TEXT, orphaned: 'orphaned' }

function showOverview({ tasks, seconds, etaSeconds, condition }: RunSummary): void {
  const sum = (of: (task: RunSummary['tasks'][number]) => number) => tasks.reduce((all, task) => all + of(task), 0)
  const total = sum((task) => task.total)
  const completed = sum((task) => task.completed)
  const rate = sum((task) => task.rate)
  setText(element('share'), showShare(completed, total))
  const parts = [
    `${showNumber(completed)} of ${plural(total, 'block')}`,
    ...(condition === 'on' && rate > 0 ? [`${showRate(rate)}/s`] : []),
    ...(seconds > 0 ? [showDuration(seconds)] : []),
    ...(etaSeconds !== undefined && etaSeconds > 0 ? [`about ${showDuration(etaSeconds)} left`] : []),
  ]
  setText(element('times'), parts.join(' · '))
  showTitle(`${showShare(completed, total)} ${element('run').textContent} · Bellis`, condition)
}

/** A browser draws its own window anew for another title: that is as dear as the page. */
const TITLE_MS = 5000
let titled: { readonly condition: string; readonly at: number } | undefined

function showTitle(title: string, condition: string): void {
  const now = performance.now()
  if (titled?.condition === condition && now - titled.at < TITLE_MS) return
  titled = { condition, at: now }
  if (document.title !== title) document.title = title
}

/** Where the page is not told how the run goes: what it says then. */
const NO_LINK = {
  lost: [
    'bellis does not answer any more.',
    'It was killed, or the connection to it is broken. When the run is started again with --dashboard, or shown with bellis status, this page goes on by itself.',
  ],
  full: ['This run is open in too many windows already.', 'When one of them is closed this page goes on by itself.'],
  replaced: ['This address is no longer valid.', 'Open the one that bellis has printed.'],
} as const satisfies Partial<Record<Link, readonly [what: string, then: string]>>

/** What has to be said before all else, and what the run is at. */
function showLink(link: Link, { summary, description }: RunModel): void {
  const condition = summary?.condition ?? 'waiting'
  const isOver = condition !== 'on' && condition !== 'waiting'
  const isBlind = link !== 'open' && !(link === 'ended' && isOver)
  const chip = element('condition')
  chip.dataset.condition = isBlind ? 'killed' : condition
  setText(chip, !isBlind ? CONDITIONS[condition] : link === 'lost' ? 'no answer' : 'not followed')
  if (link === 'lost' || link === 'full' || link === 'replaced') {
    const [what, then] = NO_LINK[link]
    showMessage('alert', what, then)
    return
  }
  const again = `To look at it again: ${description.command}`
  if (isBlind) {
    showMessage('plain', 'bellis has ended, and no longer tells this page how the run goes.', again)
    return
  }
  const said = messageOf(condition, summary, description)
  if (said === undefined) element('message').hidden = true
  else showMessage(said[0], said[1], said[2] + (link === 'ended' ? ` bellis has ended. ${again}` : ''))
}

/** What a run's condition means, and what to do then. */
function messageOf(
  condition: RunSummary['condition'],
  summary: RunSummary | undefined,
  { tasks }: RunDescription,
): readonly [kind: 'alert' | 'good' | 'plain', what: string, then: string] | undefined {
  const count = (of: 'failed' | 'orphaned') => summary?.tasks.reduce((sum, task) => sum + task[of], 0) ?? 0
  switch (condition) {
    case 'done':
      return ['good', 'All blocks are done.', '']
    case 'failed': {
      const number = summary?.tasks.findIndex(({ error }) => error !== undefined) ?? -1
      if (number >= 0 && count('failed') === 0) {
        return ['alert', `${tasks[number]?.id} was given up.`, summary?.tasks[number]?.error ?? '']
      }
      const orphans = count('orphaned') === 0 ? '' : `, ${plural(count('orphaned'), 'block')} orphaned`
      return ['alert', `${plural(count('failed'), 'block')} failed${orphans}.`, 'The same command tries them again.']
    }
    case 'stopped':
      return ['plain', 'The run was stopped before its end.', 'The same command continues it.']
    case 'killed':
      return [
        'alert',
        'The run ended without a word: its coordinator was killed, or its machine went down.',
        'The same command continues it, and this page goes on then.',
      ]
    case 'waiting':
      return ['plain', 'Nothing has run yet.', 'This page begins with the first block.']
    case 'removed':
      return ['alert', "The run's folder was removed.", 'This is what it said last.']
    case 'on':
      return undefined
    default:
      return condition satisfies never
  }
}

function showMessage(kind: 'alert' | 'good' | 'plain', what: string, then: string): void {
  const message = element('message')
  message.dataset.kind = kind
  setText(element('what'), what)
  setText(element('then'), then)
  message.hidden = false
}
