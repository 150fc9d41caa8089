// `bellis engine`: runs for a program in another language, which starts this one, and ends it by ending its input.
import { resolve } from 'node:path'
import { endsWithParent } from '../../adapters/files/process-identity.ts'
import { ConfigError, messageOf, toWireError } from '../../core/errors.ts'
import { given } from '../../core/given.ts'
import { errnoOf } from '../../core/system-errors.ts'
import { printable } from '../../core/text/printable.ts'
import { shorten } from '../../core/text/shorten.ts'
import type { Run } from '../run.ts'
import { startRun } from '../run.ts'
import { enterFolder, setParentCommand } from '../run-folder/continuation.ts'
import type { RunOptions } from '../run-options.ts'
import { ParentLauncher } from './parent-launcher.ts'
import { type ParentLink, stdioLink } from './parent-link.ts'
import { parseParentMessage, parseRunRequest, type RunRequest } from './parent-messages.ts'
import { roiTasks } from './roi-task.ts'
import { serveSchedule } from './schedule-session.ts'

/** How long workers get to hand back their blocks when the parent has gone. */
const ABANDONED_MS = 3000

/** Serves the parent until its input ends, or until it sends an invalid message: then the error is the last message, and the exit code is 2. */
export async function serveParent(link: ParentLink = stdioLink()): Promise<void> {
  endsWithParent()
  try {
    await serveRuns(link)
  } catch (error) {
    const wired = toWireError(error, 'INTERNAL')
    link.send({ type: 'error', error: wired })
    process.stderr.write(`bellis: ${printable(wired.message)}\n`)
    process.exitCode = 2
    process.stdin.destroy()
  }
}

/** Serves one run or scheduler after the other, until the input ends. */
async function serveRuns(link: ParentLink): Promise<void> {
  // Ctrl-C in a terminal reaches the parent, too, which decides what it means.
  process.on('SIGINT', () => {})
  for (;;) {
    const { value, done } = await link.next()
    if (done) return
    link.take()
    const { type } = value as { readonly type?: unknown }
    if (type === 'schedule') await serveSchedule(link, value)
    else if (type === 'run') {
      if (!(await serveRun(link, value))) process.exit(0)
    } else if (!LATE.has(type)) {
      const shown = shorten(JSON.stringify(type) ?? 'undefined', 80)
      throw new ConfigError(
        'INVALID_CONFIG',
        `The engine was sent a message of the type ${shown}: expected "run" or "schedule".`,
      )
    }
  }
}

/** What may be said of the last run or scheduler when it has just ended. */
const LATE: ReadonlySet<unknown> = new Set(['exited', 'checked', 'stop', 'acquire', 'release', 'close'])

/** @returns whether the parent is still there */
async function serveRun(link: ParentLink, message: unknown): Promise<boolean> {
  let run: Run
  let launcher: ParentLauncher
  let folder: string | null = null
  try {
    const request = parseRunRequest(message)
    const { directory } = request
    enterFolder(directory, (error) => {
      const reason = errnoOf(error) ?? messageOf(error)
      return `"directory" is ${JSON.stringify(directory)}: expected a folder that can be entered (${reason}).`
    })
    setParentCommand(request.command ?? null)
    launcher = new ParentLauncher(request.tasks, link.send)
    run = startRun(roiTasks(request.tasks), {
      ...optionsOf(request, launcher, link),
      onListening: (invitation) => {
        folder = resolve(invitation.folder)
        // Without the parent's command, jobs would be workers that don't have its functions.
        const submit = request.workerCommand === undefined ? {} : { submit: invitation.submit }
        link.send({ type: 'listening', context: invitation.context, folder, ...submit })
      },
    })
  } catch (error) {
    link.send({ type: 'error', error: toWireError(error, 'INTERNAL') })
    return true
  }
  const isOver = run.result.then(
    (result) => link.send({ type: 'result', result, folder }),
    (error) => link.send({ type: 'error', error: toWireError(error, 'INTERNAL') }),
  )
  return await follow(link, run, launcher, isOver)
}

/** Passes on what the parent says until the run is over. @returns whether the parent is still there @throws ConfigError `INVALID_CONFIG` */
async function follow(link: ParentLink, run: Run, launcher: ParentLauncher, isOver: Promise<void>): Promise<boolean> {
  const over = isOver.then(() => 'over' as const)
  let failure: unknown
  try {
    for (;;) {
      const next = await Promise.race([link.next(), over])
      if (next === 'over') return true
      if (next.done) break
      link.take()
      take(parseParentMessage(next.value), run, launcher)
    }
  } catch (error) {
    // A parent that sends an invalid message is treated as gone.
    failure = error
  }
  // The parent has gone, and its workers go with it.
  void run.stop({ now: true })
  const timer = setTimeout(() => process.exit(1), ABANDONED_MS)
  await over
  clearTimeout(timer)
  if (failure !== undefined) throw failure
  return false
}

function take(message: ReturnType<typeof parseParentMessage>, run: Run, launcher: ParentLauncher): void {
  switch (message.type) {
    case 'exited':
      launcher.noteExit(message.worker, message)
      return
    case 'checked':
      launcher.answer(message.question, message.done)
      return
    case 'stop':
      void run.stop({ now: message.now })
      return
    default:
      message satisfies never
  }
}

function optionsOf(request: RunRequest, launcher: ParentLauncher, link: ParentLink): RunOptions {
  const { pool, overwrite, grow, progress, dashboard, events, host, slurm, sge, pbs, lsf, kubernetes, workerCommand } =
    request
  const { workers, minWorkers, resources, maxRetries, maxFailures, timeoutMs, onStall, maxWorkerRestarts, runDir } =
    request
  const stallMs = request.stallMs === null ? Number.POSITIVE_INFINITY : request.stallMs
  const wanted = new Set(events)
  return {
    pool: pool === 'parent' ? launcher : pool,
    progress: progress as NonNullable<RunOptions['progress']>,
    overwrite,
    grow,
    ...given({
      workers,
      minWorkers,
      resources,
      maxRetries,
      maxFailures,
      timeoutMs,
      stallMs,
      onStall,
      maxWorkerRestarts,
      runDir,
      maxHistoryMb: request.maxHistoryMb,
    }),
    ...given({ host, slurm, sge, pbs, lsf, kubernetes, workerCommand, mask: request.mask }),
    ...(dashboard ? { dashboard: { onAddress: (address) => link.send({ type: 'dashboard', address }) } } : {}),
    onEvent: (event) => {
      if (wanted.has(event.type)) link.send({ type: 'event', event })
    },
  }
}
