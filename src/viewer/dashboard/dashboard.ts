import { PARTLY_DONE } from '../../core/board/cell-map.ts'
import type { RunDescription, RunSummary } from '../../core/board/summary.ts'
import type { RunCondition } from '../../core/events.ts'
import { STATE_CODE } from '../../core/scheduling/state-map.ts'
import { showCount, showDuration } from '../../core/text/numbers.ts'
import { element, make, setText } from '../shared/elements.ts'
import { initialTheme, type Theme, toggleTheme } from '../shared/theme.ts'
import { fillAbout } from './about.ts'
import { BlockTip } from './blocks/block-tip.ts'
import { MapControls } from './blocks/map-controls.ts'
import { STATE_ORDER, STATE_TEXT } from './blocks/state-colors.ts'
import { FailureList, NoteList } from './event-lists.ts'
import { PACE } from './pace.ts'
import { RateChart } from './rate-chart.ts'
import { type Connection, RunModel } from './run-model.ts'
import { bindTabs } from './tabs.ts'
import { TaskCard } from './task-card.ts'
import { plural, showNumber, showShare, showTime } from './text.ts'
import { Volumes } from './volumes/volumes.ts'
import { WorkerList } from './worker-list.ts'
import '../shared/style.css'
import './dashboard.css'

void start()

async function start(): Promise<void> {
  showTheme(initialTheme())
  const description = await loadDescription()
  showHeading(description)
  fillAbout(element('facts'), description)
  showLegend(description.tasks.some(({ map }) => map.cell.some((count) => count > 1)))
  const cards: TaskCard[] = []
  const model = new RunModel(description, {
    states: (task, start, end, code) => {
      cards[task]?.changed(start, end)
      if (code === STATE_CODE.completed || code === PARTLY_DONE) volumes.written(task, start, end)
    },
    summary: (summary) => {
      const isSoon = performance.now() - updatedAt < PACE.page
      if (!isSoon || summary.condition !== 'running' || shown !== 'running') update(summary)
    },
    connection: (connection) => {
      if (model.summary === undefined) showState(connection, model)
      else update(model.summary)
    },
  })
  const volumes = new Volumes(model)
  const tip = new BlockTip(model)
  element('tasks').style.setProperty('--count', String(description.tasks.length))
  const controls = new MapControls(description.tasks, (plane) => {
    for (const card of cards) card.turn(plane)
  })
  const count = description.tasks.length
  for (const [number, task] of description.tasks.entries()) {
    const codes = model.codes[number] as Uint8Array
    const onPoint = (task: number, index: number | undefined, x: number, y: number) => tip.show(task, index, x, y)
    const card = new TaskCard({ task, number, count, codes, controls, onPoint })
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
  let shown: RunCondition | undefined
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
    volumes.setRunning(summary.condition === 'running')
    const failed = summary.tasks.reduce((sum, task) => sum + task.failed, 0)
    setText(element('tab-failures'), failed === 0 ? 'Failed' : `Failed ${showNumber(failed)}`)
    if (failed > 0 && !hadFailures) tabs.select('tab-failures')
    hadFailures = failed > 0
    showState(model.connection, model)
    document.documentElement.dataset.ready = 'true'
  }

  element('theme').addEventListener('click', () => {
    showTheme(toggleTheme())
    for (const card of cards) card.recolor()
    chart.draw()
    volumes.recolor()
  })
}

/** Retries until it succeeds: the page may be open before bellis is started again. */
async function loadDescription(): Promise<RunDescription> {
  for (;;) {
    try {
      const response = await fetch('run.json', { cache: 'no-store' })
      if (response.ok) return (await response.json()) as RunDescription
      showMessage('alert', 'This address is no longer valid.', 'Open the address that bellis printed last.')
    } catch {
      showMessage('alert', 'bellis does not respond.', 'This page keeps trying.')
    }
    await new Promise((resolve) => setTimeout(resolve, 2000))
  }
}

function showTheme(theme: Theme): void {
  document.documentElement.dataset.theme = theme
}

/** What the run does, and what it writes. */
function showHeading({ title, outputs, folder }: RunDescription): void {
  document.title = `${title} · Bellis`
  setText(element('title'), title)
  element('title').title = folder
  setText(element('written'), outputs.length === 0 ? '' : `→ ${outputs.map(({ name }) => name).join(', ')}`)
  element('written').title = outputs.map(({ path }) => path).join('\n')
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

function showOverview({ tasks, seconds, etaSeconds, condition, started, ended }: RunSummary): void {
  const sum = (of: (task: RunSummary['tasks'][number]) => number) => tasks.reduce((all, task) => all + of(task), 0)
  const total = sum((task) => task.total)
  const completed = sum((task) => task.completed)
  const rate = sum((task) => task.rate)
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
function showState(connection: Connection, { summary, description }: RunModel): void {
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

function showMessage(kind: 'alert' | 'good' | 'plain', what: string, then: string): void {
  const message = element('message')
  message.dataset.kind = kind
  setText(element('what'), what)
  setText(element('then'), then)
  message.hidden = false
}
