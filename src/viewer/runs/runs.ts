import type { ListedRun, RunsList } from '../../core/board/runs-list.ts'
import { showBlocksOf, showDuration } from '../../core/text/numbers.ts'
import { showValue } from '../../core/text/parameters.ts'
import { element, make, setText } from '../shared/elements.ts'
import { initialTheme, toggleTheme } from '../shared/theme.ts'
import '../shared/style.css'
import './runs.css'

const EVERY_MS = 3000

let list: RunsList | undefined
let shown = ''

start()

function start(): void {
  document.documentElement.dataset.theme = initialTheme()
  element('theme').addEventListener('click', () => {
    document.documentElement.dataset.theme = toggleTheme()
  })
  element('filter').addEventListener('input', show)
  void read()
  setInterval(() => {
    if (!document.hidden) void read()
  }, EVERY_MS)
}

async function read(): Promise<void> {
  try {
    const response = await fetch('runs.json', { cache: 'no-store' })
    if (!response.ok) throw new Error()
    list = (await response.json()) as RunsList
    element('message').hidden = true
    show()
  } catch {
    setText(element('what'), 'bellis does not respond.')
    setText(element('then'), 'Start bellis dashboard again and open the address that it prints.')
    element('message').hidden = false
  }
  document.documentElement.dataset.ready = 'true'
}

function show(): void {
  if (list === undefined) return
  const wanted = element<HTMLInputElement>('filter').value.toLowerCase().split(/\s+/)
  const textOf = (run: ListedRun) => `${Object.values(run).join(' ')} ${JSON.stringify(run.parameters)}`.toLowerCase()
  const runs = list.runs.filter((run) => wanted.every((word) => textOf(run).includes(word)))
  const live = runs.filter(({ condition }) => condition === 'running')
  const past = runs.filter(({ condition }) => condition !== 'running')
  setText(element('home'), list.home)
  const running = live.length === 0 ? '' : `, ${live.length} running`
  const hidden = list.runs.length === runs.length ? '' : ` of ${list.runs.length}`
  const none = 'No run is recorded here yet. Each run that is started in this folder appears by itself.'
  setText(element('count'), list.runs.length === 0 ? none : `${runs.length}${hidden} runs${running}`)
  document.title = `${running === '' ? '' : `${live.length} running · `}Runs · Bellis`
  const key = JSON.stringify([live, past, list.unreadable])
  if (key === shown) return
  shown = key
  element('runs').replaceChildren(
    ...[...live, ...past].map(row),
    ...list.unreadable.map(({ run, message }) =>
      make('li', { class: 'run unreadable' }, make('b', {}, run), make('span', {}, message)),
    ),
  )
}

function row({
  run,
  title,
  condition,
  active,
  seconds,
  created,
  from,
  to,
  parameters,
  total,
  completed,
  failed,
  masked,
}: ListedRun): HTMLElement {
  const share = total === 0 ? 1 : completed / total
  const fields = Object.entries(parameters).map(([name, value]) => `${name} ${showValue(value)}`)
  const outside = masked > 0 ? `, ${masked} of them outside the mask` : ''
  const counts = `${showBlocksOf(completed, total)}${outside}${failed > 0 ? `, ${failed} failed` : ''}`
  const link = make('a', { href: `runs/${encodeURIComponent(run)}/`, title: run }, title)
  return make(
    'li',
    { class: 'run', 'data-condition': condition },
    make('h2', {}, link),
    make('span', { class: 'condition' }, condition),
    make('span', { class: 'data' }, from ?? '', to === undefined ? '' : ` → ${to}`),
    make('span', { class: 'parameters', title: fields.join('\n') }, fields.join('  ')),
    make(
      'span',
      { class: 'done' },
      make('i', { style: `width: ${Math.floor(share * 100)}%` }),
      make('i', {
        class: 'failed',
        style: `width: ${total === 0 ? 0 : (100 * failed) / total}%`,
        hidden: failed === 0,
      }),
    ),
    make('span', { class: 'counts' }, `${share === 1 ? 100 : Math.floor(share * 100)} % · ${counts}`),
    make(
      'span',
      { class: 'times', title: `started first ${localTime(created)}` },
      make('time', { datetime: active }, localTime(active)),
      seconds === undefined ? '' : ` · ${showDuration(seconds, 0)}`,
    ),
  )
}

/** `2026-11-28 22:42`, in local time. */
function localTime(iso: string): string {
  const time = new Date(iso)
  if (Number.isNaN(time.getTime())) return ''
  const local = new Date(time.getTime() - time.getTimezoneOffset() * 60_000)
  return local.toISOString().slice(0, 16).replace('T', ' ')
}
