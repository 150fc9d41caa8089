import { setTimeout as wait } from 'node:timers/promises'
import { Command } from 'commander'
import { ConfigError, messageOf } from '../../../core/errors.ts'
import { given } from '../../../core/given.ts'
import { createBlockGrid } from '../../../core/grid/block-grid.ts'
import { startDashboard } from '../../pages/dashboard-server.ts'
import { exportStates } from '../../run-folder/export-states.ts'
import { findRunFolder } from '../../run-folder/run-context.ts'
import { runsHome } from '../../run-folder/run-place.ts'
import { type RecordedTaskState, type RunState, readRunState } from '../../run-folder/run-state.ts'
import { openPage, untilEnded } from '../open-page.ts'
import { portNumber } from '../option-values.ts'
import { type CommonOptions, commonOptions } from '../options.ts'
import { paint, printJson, say, showCount, showDuration, warn } from '../output.ts'
import { conditionOf, runDocument } from './runs.ts'

interface StatusFlags extends CommonOptions {
  readonly runDir?: string
  readonly db?: string
  readonly watch?: boolean
  readonly dashboard?: boolean
  readonly host?: string
  readonly port?: number
  readonly open: boolean
  readonly zarr?: string
}

const WATCH_MS = 1000
/** Where no terminal shows it. */
const PLAIN_WATCH_MS = 10_000
const MAX_SHOWN_FAILURES = 100

/** `bellis status` */
export function statusCommand(): Command {
  const command = new Command('status')
    .description('Says how a run goes, or went: its counts, its rate, and its failed blocks with their errors.')
    .argument('<run>', "the run's folder or its name, as bellis runs lists it")
    .option('--watch', 'say it again until the run is over')
    .option('--dashboard', 'serve a page that shows it, and follows it while it is on, until Ctrl-C')
    .option('--host <address>', 'where browsers come in (default: 127.0.0.1, this machine alone)')
    .option('--port <n>', 'at which port (default: the same as before, or one that is free)', portNumber)
    .option('--no-open', "only say the page's address, open no browser")
    .option('--zarr <file>', 'write the state of every block as a Zarr array: 0 not done, 1 done, 2 failed')
    .option('--run-dir <folder>', "where runs' folders are (default: .bellis)")
    .option(
      '--db <url>',
      'where its progress is kept, with what lets one in (default: where the run says, with what lets one in from BELLIS_DB)',
    )
  return commonOptions(command)
    .addHelpText('after', '\nExample:\n  $ bellis status smooth-1a2b3c4d --watch')
    .action(showStatus)
}

async function showStatus(run: string, flags: StatusFlags): Promise<void> {
  const folder = findRunFolder(run, runsHome(flags.runDir))
  if (flags.dashboard) return serveDashboard(folder, flags)
  let drawn = 0
  let said = Number.NEGATIVE_INFINITY
  for (;;) {
    const state = await readState(folder, flags)
    const isLast = !flags.watch || state.holder === undefined
    if (isLast || process.stdout.isTTY || performance.now() - said >= PLAIN_WATCH_MS) {
      const text = await tellStatus(state, flags, drawn)
      drawn = text.split('\n').length
      said = performance.now()
    }
    if (isLast) return
    await wait(WATCH_MS)
  }
}

async function serveDashboard(folder: string, flags: StatusFlags): Promise<void> {
  const { db: place, host, port } = flags
  const onError = (error: unknown) => warn(flags, messageOf(error))
  await using dashboard = await startDashboard(folder, given({ place, host, port, onError }))
  const ended = untilEnded()
  const { address } = dashboard
  if (flags.json) printJson({ address, port: dashboard.port })
  else process.stdout.write(flags.quiet ? `${address}\n` : `\n  ${paint('bold', address)}\n\n`)
  await openPage(flags, dashboard, (text) => say(flags, text))
  say(flags, 'Ctrl-C ends it; the run goes on.')
  await ended
}

/** @param drawn lines of the last time, to be drawn over on a terminal */
async function tellStatus(state: RunState, flags: StatusFlags, drawn: number): Promise<string> {
  const exported = flags.zarr === undefined ? [] : await exportStates(state, flags.zarr)
  const text = [describeState(state), ...exported.map((path) => `  states of blocks: ${path}`)].join('\n')
  if (flags.json) printJson(statusDocument(state))
  else {
    if (drawn > 0 && process.stdout.isTTY) process.stdout.write(`\u001b[${drawn}A\u001b[0J`)
    say(flags, text)
  }
  return text
}

async function readState(folder: string, flags: StatusFlags): Promise<RunState> {
  const state = await readRunState(folder, { place: flags.db, limit: MAX_SHOWN_FAILURES })
  if (state !== undefined) return state
  throw new ConfigError('NO_SUCH_FILE', `${folder} is not the folder of a run; bellis runs lists those that there are.`)
}

function describeState(state: RunState): string {
  const { holder, run } = state
  const who =
    holder === undefined ? '' : `, by process ${holder.pid} of ${holder.user} on ${holder.host} since ${holder.since}`
  return [
    `${paint('bold', run)}: ${conditionOf(state)}${who}`,
    ...state.tasks.map((task) => `  ${describeTask(task, state)}`),
    ...state.tasks.flatMap((task) => describeFailures(task)),
  ].join('\n')
}

function describeTask({ id, total, completed, failed, left }: RecordedTaskState, { holder, live }: RunState): string {
  const share = total === 0 ? 100 : Math.floor((completed / total) * 1000) / 10
  const parts = [`${completed} of ${total} blocks (${share} %)`]
  if (failed > 0) parts.push(paint('red', `${failed} failed`))
  const now = live?.tasks.find((task) => task.id === id)
  if (holder === undefined || live === undefined || now === undefined) {
    if (left > 0) parts.push(`${left} left`)
    return `${id}: ${parts.join(', ')}`
  }
  if (now.orphaned > 0) parts.push(paint('red', `${now.orphaned} orphaned`))
  const rate = (now.completed - now.skipped) / Math.max(live.seconds, 1e-3)
  parts.push(`${now.processing} running`, `${showCount(rate)} blocks/s`)
  const rest = now.pending + now.ready + now.processing
  if (rest > 0 && rate > 0) parts.push(`${showDuration(rest / rate)} left`)
  return `${id}: ${parts.join(', ')}`
}

function describeFailures({ id, failures, failed }: RecordedTaskState): string[] {
  const lines = failures.map(
    ({ block, attempt, error, workerId, host }) =>
      `${paint('red', 'failed')} ${id}/${block} after ${attempt} ${attempt === 1 ? 'try' : 'tries'}, by ${workerId}${host === '' ? '' : ` on ${host}`}: ${error.message}`,
  )
  return failed > failures.length ? [...lines, `… and ${failed - failures.length} more blocks of ${id} failed`] : lines
}

const statusDocument = (state: RunState) => ({
  ...runDocument(state),
  ...(state.live === undefined ? {} : { live: state.live }),
  failures: state.tasks.flatMap(({ id, failures }, number) => {
    const described = state.document.tasks[number]
    const grid = described === undefined ? undefined : createBlockGrid(described.grid)
    return failures.map(({ block, attempt, error, workerId, host, durationMs, time }) => ({
      block: `${id}/${block}`,
      ...(grid === undefined ? {} : { writeRoi: grid.block(block).writeRoi }),
      attempts: attempt,
      error,
      workerId,
      host,
      durationMs,
      time: new Date(time).toISOString(),
    }))
  }),
})
