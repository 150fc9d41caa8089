import { PARTLY_DONE } from '../../core/board/cell-map.ts'
import type { RunDescription, RunSummary } from '../../core/board/summary.ts'
import type { RunCondition } from '../../core/events.ts'
import { createBlockGrid } from '../../core/grid/block-grid.ts'
import { STATE_CODE } from '../../core/scheduling/state-map.ts'
import { element } from '../shared/elements.ts'
import { initialTheme, type Theme, toggleTheme } from '../shared/theme.ts'
import { fillAbout } from './about.ts'
import { BlockTip } from './blocks/block-tip.ts'
import { MapControls } from './blocks/map-controls.ts'
import { bindHelp } from './help.ts'
import { inNanometers, showRegion } from './lists/region-text.ts'
import { RunLists } from './lists/run-lists.ts'
import { showHeading, showLegend, showOverview } from './overview.ts'
import { PACE } from './pace.ts'
import { RateChart } from './rate-chart.ts'
import { showMessage, showState } from './run-condition.ts'
import { RunControl } from './run-control.ts'
import { RunModel } from './run-model.ts'
import { TaskCard } from './task-card.ts'
import { Volumes } from './volumes/volumes.ts'
import '../shared/style.css'
import './dashboard.css'
import './lists/lists.css'

void start()

async function start(): Promise<void> {
  showTheme(initialTheme())
  const description = await loadDescription()
  showHeading(description)
  fillAbout(element('facts'), description)
  showLegend(description.tasks.some(({ map }) => map.cell.some((count) => count > 1)))
  const control = new RunControl()
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
  const tip = new BlockTip(model, (task) => volumes.outputOf(task))
  element('tasks').style.setProperty('--count', String(description.tasks.length))
  const controls = new MapControls(description.tasks, (plane) => {
    for (const card of cards) card.turn(plane)
  })
  const count = description.tasks.length
  for (const [number, task] of description.tasks.entries()) {
    const codes = model.codes[number] as Uint8Array
    const onOpen = (isWanted: (index: number) => boolean) => lists.openFailure(number, isWanted)
    const onPoint = (number: number, index: number | undefined, x: number, y: number) => {
      tip.show(number, index, x, y)
      if (index === undefined) return
      control.point(showRegion(inNanometers(createBlockGrid(task.map.grid).block(index).writeRoi, task)))
    }
    const card = new TaskCard({ task, number, count, codes, controls, onPoint, onOpen })
    cards.push(card)
    element('tasks').append(card.element)
    card.placed()
  }
  const chart = new RateChart(element('speed'))
  const lists = new RunLists(model, {
    mark: (task, index) => {
      cards[task]?.mark(index)
      volumes.flyTo(task, index)
    },
    onMap: (task, index) => cards[task]?.pointAt(index),
    inVolume: (task) => volumes.flightTo(task),
    outputOf: (task) => volumes.outputOf(task),
    again: () => (control.isAllowed ? (region) => control.askToRedo(region) : undefined),
  })
  bindHelp()
  let shown: RunCondition | undefined
  let updatedAt = Number.NEGATIVE_INFINITY

  function update(summary: RunSummary): void {
    shown = summary.condition
    updatedAt = performance.now()
    for (const [number, task] of summary.tasks.entries()) cards[number]?.update(task)
    showOverview(summary)
    chart.update(summary)
    lists.update(summary)
    control.update(summary)
    tip.refresh()
    void volumes.update(summary.volumes)
    volumes.setRunning(summary.condition === 'running')
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
