import { setTimeout as wait } from 'node:timers/promises'
import { Command } from 'commander'
import { ConfigError, messageOf } from '../../../core/errors.ts'
import type { Roi } from '../../../core/geometry/roi.ts'
import { given } from '../../../core/given.ts'
import { createBlockGrid } from '../../../core/grid/block-grid.ts'
import { showTime } from '../../../core/text/local-time.ts'
import { showBlocksOf, showCount, showDuration } from '../../../core/text/numbers.ts'
import { printableLine } from '../../../core/text/printable.ts'
import { ownCommand } from '../../own-command.ts'
import { startDashboard } from '../../pages/dashboard-server.ts'
import { exportStates } from '../../run-folder/export-states.ts'
import { describeFindings, findingsOf, type RunFindings } from '../../run-folder/provenance/findings-of-run.ts'
import { findRunFolder } from '../../run-folder/run-context.ts'
import { runHolderOf } from '../../run-folder/run-folder.ts'
import { overviewsOf } from '../../run-folder/run-overview.ts'
import { type DescribedTask, runsHome } from '../../run-folder/run-place.ts'
import { type RecordedTaskState, type RunState, readRunState } from '../../run-folder/run-state.ts'
import { withCommand, wrapped } from '../layout.ts'
import { openPage, printedAddress, untilEnded, warnOfExposure, whatPagesAllow } from '../open-page.ts'
import { portNumber } from '../option-values.ts'
import { type CommonOptions, commonOptions, RUN_ARGUMENT } from '../options.ts'
import { paint, printJson, say, warn } from '../output.ts'
import { describeFailures, errorsOf, regionOf, type ShownFailures } from '../tasks/report/failure-report.ts'
import { describeFacts, factsOf } from './run-facts.ts'
import { runDocument } from './runs.ts'
import { StatusDisplay, type StatusText } from './status-display.ts'

interface StatusFlags extends CommonOptions {
  readonly runDir?: string
  readonly db?: string
  readonly watch?: boolean
  readonly dashboard?: boolean
  readonly dashboardControl?: boolean
  readonly host?: string
  readonly port?: number
  readonly open: boolean
  readonly zarr?: string
}

const WATCH_MS = 1000
/** Interval of `--watch` if the output is not a terminal. */
const PLAIN_WATCH_MS = 10_000
const MAX_SHOWN_FAILURES = 100

/** `bellis status` */
export function statusCommand(): Command {
  const command = new Command('status')
    .description('Shows the progress of a run: its block counts, its rate, and its failed blocks with their errors.')
    .argument('<run>', RUN_ARGUMENT)
    .option('--watch', 'follow the run until it has ended')
    .option('--dashboard', 'serve a web page that shows the run and follows it, until Ctrl-C')
    .option(
      '--dashboard-control',
      'serve the page, and let it stop the run, change its workers and retry failed blocks',
    )
    .option('--host <address>', 'address for browsers to connect to (default: 127.0.0.1, this machine only)')
    .option('--port <n>', 'port of the page (default: the same as before, or a free one)', portNumber)
    .option('--no-open', "print the page's address without opening a browser")
    .option(
      '--zarr <file>',
      'write the state of every block as a Zarr array: 0 not done, 1 done, 2 failed, 3 outside the mask',
    )
    .option('--run-dir <folder>', 'folder that contains the runs (default: .bellis)')
    .option(
      '--db <url>',
      'progress database URL, including credentials (default: the URL recorded with the run, with credentials from BELLIS_DB)',
    )
  return commonOptions(command)
    .addHelpText('after', '\nExample:\n  $ bellis status smooth-out-smoothed-1a2b3c4d --watch')
    .action(showStatus)
}

async function showStatus(run: string, flags: StatusFlags): Promise<void> {
  const folder = findRunFolder(run, runsHome(flags.runDir))
  if (flags.dashboard || flags.dashboardControl) return serveDashboard(folder, flags)
  const display = new StatusDisplay()
  let shownAt = Number.NEGATIVE_INFINITY
  for (;;) {
    const state = await readState(folder, flags)
    const isLast = !flags.watch || state.holder === undefined
    if (isLast || process.stdout.isTTY || performance.now() - shownAt >= PLAIN_WATCH_MS) {
      const exported = flags.zarr === undefined ? [] : await exportStates(state, flags.zarr)
      const findings = await findingsOf(state)
      if (flags.json) printJson({ ...statusDocument(state, findings), ...findings })
      else if (!flags.quiet) display.show(describeState(state, findings, exported), { isLast })
      shownAt = performance.now()
    }
    if (isLast) return
    await wait(WATCH_MS)
  }
}

async function serveDashboard(folder: string, flags: StatusFlags): Promise<void> {
  const { db: place, host, port, dashboardControl: control } = flags
  const onError = (error: unknown) => warn(flags, messageOf(error))
  await using dashboard = await startDashboard(folder, given({ place, host, port, control, onError }))
  const ended = untilEnded()
  const { address } = dashboard
  warnOfExposure(flags, host, whatPagesAllow(control))
  using printed = printedAddress(address, flags)
  if (flags.json) printJson({ address, port: dashboard.port })
  else process.stdout.write(flags.quiet ? `${address}\n` : `\n  ${paint('bold', printed.text)}\n\n`)
  await openPage(flags, dashboard, (text) => say(flags, text))
  say(flags, `Press Ctrl-C to close the page${runHolderOf(folder) === undefined ? '' : '; the run continues'}.`)
  await ended
}

async function readState(folder: string, flags: StatusFlags): Promise<RunState> {
  const state = await readRunState(folder, { place: flags.db, limit: MAX_SHOWN_FAILURES })
  if (state !== undefined) return state
  throw new ConfigError(
    'NO_SUCH_FILE',
    `${folder} is not the folder of a run; ${ownCommand('runs')} lists the runs here.`,
  )
}

/** @param exported the files that the states of blocks were written to */
function describeState(state: RunState, findings: RunFindings, exported: readonly string[]): StatusText {
  const { holder, run } = state
  const who =
    holder === undefined
      ? ''
      : printableLine(`, in process ${holder.pid} of ${holder.user} on ${holder.host}, since ${showTime(holder.since)}`)
  const [overview] = overviewsOf([state], [findings])
  return {
    condition: wrapped(`${paint('bold', run)}: ${state.condition}${who}`, 2),
    facts: describeFacts(state),
    tasks: state.tasks.map((task) => wrapped(`  ${describeTask(task, state)}`, 4)),
    rest: [
      ...failuresOf(state).flatMap((task) => describeFailures(task, { screen: process.stdout })),
      ...describeFindings(findings, state).map((text) => wrapped(`${paint('yellow', '!')} ${text}`, 2)),
      ...exported.map((path) => wrapped(`  block states: ${path}`, 4)),
      ...(overview?.continueWith === undefined ? [] : [withCommand('To continue', overview.continueWith)]),
    ],
  }
}

function describeTask(
  { id, total, completed, failed, left, masked, leftOut }: RecordedTaskState,
  { holder, live }: RunState,
): string {
  const share = total === 0 ? 100 : Math.floor((completed / total) * 1000) / 10
  const parts = [`${showBlocksOf(completed, total)} (${share} %)`]
  if (masked !== undefined) parts.push(`${masked} of them outside the mask`)
  if (failed > 0) parts.push(paint('red', `${failed} failed`))
  const now = live?.tasks.find((task) => task.id === id)
  if (holder === undefined || live === undefined || now === undefined) {
    if (left > 0) parts.push(`${left} left`)
    if (leftOut !== undefined && leftOut > 0) parts.push(`${leftOut} left out by the last start`)
    return `${id}: ${parts.join(', ')}`
  }
  if (now.orphaned > 0) parts.push(paint('red', `${now.orphaned} orphaned`))
  parts.push(`${now.processing} running`)
  const rate = (now.completed - now.skipped) / Math.max(live.seconds, 1e-3)
  if (rate > 0) parts.push(`${showCount(rate)} blocks/s`)
  const rest = now.pending + now.ready + now.processing
  if (rest > 0 && rate > 0) parts.push(`${showDuration(rest / rate)} left`)
  return `${id}: ${parts.join(', ')}`
}

/** The failures of all tasks, and why tasks were abandoned. */
const failuresOf = ({ tasks, document, live }: RunState): ShownFailures[] =>
  tasks.map(({ id, failures, failed, left }, number) => {
    const described = document.tasks[number]
    const grid = described === undefined ? undefined : createBlockGrid(described.grid)
    return {
      id,
      failed,
      // A task that has nothing left was completed since.
      error: left + failed > 0 ? live?.tasks.find((task) => task.id === id)?.error : undefined,
      failures: failures.map(({ block, attempt, error, workerId, host }) => ({
        block: `${id}/${block}`,
        attempts: attempt,
        error,
        region:
          grid === undefined || described === undefined
            ? { nm: '?' }
            : regionOf(grid.block(block).writeRoi, described.unit, described.voxels),
        worker: host === '' ? workerId : `${workerId} on ${host}`,
      })),
    }
  })

const placeOf = (writeRoi: Roi, { unit, voxels }: DescribedTask) => ({
  writeRoi,
  region: regionOf(writeRoi, unit, voxels),
})

function statusDocument(state: RunState, findings: RunFindings) {
  const failures = failureDocuments(state)
  return {
    ...runDocument(state),
    ...overviewsOf([state], [findings])[0],
    ...factsOf(state),
    ...given({ live: state.live }),
    errors: errorsOf(failures),
    failures,
  }
}

const failureDocuments = (state: RunState) =>
  state.tasks.flatMap(({ id, failures }, number) => {
    const described = state.document.tasks[number]
    const grid = described === undefined ? undefined : createBlockGrid(described.grid)
    return failures.map(({ block, attempt, error, workerId, host, durationMs, time }) => ({
      block: `${id}/${block}`,
      ...(grid === undefined || described === undefined ? {} : placeOf(grid.block(block).writeRoi, described)),
      attempts: attempt,
      error,
      workerId,
      host,
      durationMs,
      time: new Date(time).toISOString(),
    }))
  })
