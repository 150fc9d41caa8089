import { hostname } from 'node:os'
import { basename, resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { type PostOptions, postJson } from '../../../../adapters/http/post-json.ts'
import { messageOf } from '../../../../core/errors.ts'
import type { TaskCounts } from '../../../../core/events.ts'
import { StallWatch } from '../../../../core/progress/stall.ts'
import { reasonOf } from '../../../../core/text/error-reason.ts'
import { showBlocksOf, showDuration } from '../../../../core/text/numbers.ts'
import type { EventStream } from '../../../../runtime/coordinator/event-stream.ts'
import type { RunResult } from '../../../../runtime/coordinator/run-result.ts'
import { commandOfProcess, continuationOf, variablesOfProcess } from '../../../run-folder/continuation.ts'

/** Sends notices of a run to a web address. Notices never hold up the run. */
export interface Notifier extends AsyncDisposable {
  /** The run has ended. */
  ended(result: RunResult): void
  /** The run could not start, or broke off. */
  failed(error: unknown): void
  /** The process is about to exit without waiting for its blocks. The notice is given up after a moment. */
  interrupted(): Promise<void>
}

export interface NotifierOptions {
  readonly address: string
  /** No block finishes for this long. @default 10 times the usual, and at least 10 minutes */
  readonly stallMs?: number | undefined
  /** The folder of the run. */
  readonly folder: string
  /** Called if a notice could not be delivered. */
  warn(message: string): void
}

type Kind = 'done' | 'failed' | 'stopped' | 'stalled'
const SIGNS: Readonly<Record<Kind, string>> = { done: '✔', failed: '✘', stopped: '■', stalled: '⚠' }
/** How often a stall is looked for, at most. */
const CHECK_MS = 10_000
/** Whoever presses Ctrl-C twice does not wait for long. */
const LAST_NOTICE_MS = 1500

/** Disposing waits until the notices are delivered, or given up after three tries. */
export function startNotifier(events: EventStream, options: NotifierOptions): Notifier {
  const { address, stallMs, folder, warn } = options
  const run = basename(folder)
  const stall = new StallWatch(stallMs)
  const sending: Promise<void>[] = []
  let tasks: readonly TaskCounts[] = []
  let busyWorkers = 0
  let firstFailure: string | undefined
  events.listen((event) => {
    stall.receive(event, performance.now())
    if (event.type === 'run-started' || event.type === 'progress' || event.type === 'run-finished') tasks = event.tasks
    if (event.type === 'progress') busyWorkers = event.busyWorkers
    if (event.type === 'block-failed')
      firstFailure ??= `${event.failure.block}: ${reasonOf(event.failure.error.message)}`
    if (event.type === 'task-abandoned') firstFailure ??= `${event.taskId}: ${reasonOf(event.error.message)}`
  })
  const startedAt = performance.now()
  let hasEnded = false
  const send = (kind: Kind, what: string, more: object = {}, limits: PostOptions = {}) => {
    const command = commandOfProcess()
    const document = {
      text: `${SIGNS[kind]} ${run} on ${hostname()} ${what}`,
      event: kind,
      ...{ run, folder: resolve(folder), host: hostname(), time: new Date().toISOString() },
      command: command.join(' '),
      tasks: tasks.map(({ id, total, completed, failed, orphaned }) => ({ id, total, completed, failed, orphaned })),
      ...(kind === 'stopped' || kind === 'failed'
        ? { continueWith: continuationOf(command, process.cwd(), variablesOfProcess()) }
        : {}),
      ...more,
    }
    sending.push(
      postJson(address, document, limits).catch((error) => warn(`A notice was not delivered: ${messageOf(error)}`)),
    )
  }
  const timer = setInterval(
    () => {
      const ms = stall.check(performance.now())
      if (ms === undefined) return
      send('stalled', describeStall(ms / 1000, tasks, busyWorkers), { seconds: ms / 1000 })
    },
    Math.min(CHECK_MS, stall.limitMs / 4),
  ).unref()
  return {
    ended(result) {
      clearInterval(timer)
      if (hasEnded) return
      hasEnded = true
      const { kind, what } = describeEnd(result, firstFailure)
      tasks = result.tasks
      send(kind, what, {
        seconds: result.seconds,
        ...(result.error === undefined ? {} : { error: result.error.message }),
      })
    },
    failed(error) {
      clearInterval(timer)
      if (hasEnded) return
      hasEnded = true
      send('failed', `has failed: ${messageOf(error)}`, { error: messageOf(error) })
    },
    async interrupted() {
      clearInterval(timer)
      if (!hasEnded) {
        hasEnded = true
        const seconds = (performance.now() - startedAt) / 1000
        const what = `was stopped at once after ${showDuration(seconds)}: ${counted(tasks)}.`
        send('stopped', what, { seconds }, { tries: 1, timeoutMs: LAST_NOTICE_MS })
      }
      await Promise.race([Promise.all(sending), wait(LAST_NOTICE_MS)])
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await Promise.all(sending)
    },
  }
}

function describeEnd(result: RunResult, failure: string | undefined): { readonly kind: Kind; readonly what: string } {
  const { ok, stopped, error, seconds, tasks } = result
  const done = counted(tasks)
  const time = showDuration(seconds)
  if (ok) return { kind: 'done', what: `is done: ${done} in ${time}.` }
  if (stopped) return { kind: 'stopped', what: `was stopped after ${time}: ${done}.` }
  const failed = tasks.reduce((sum, task) => sum + task.failed, 0)
  const reason = error?.message ?? failure ?? ''
  const count = failed === 0 ? '' : `, ${failed} failed`
  return { kind: 'failed', what: `has failed after ${time}: ${done}${count}${reason === '' ? '.' : `; ${reason}`}` }
}

function describeStall(seconds: number, tasks: readonly TaskCounts[], busyWorkers: number): string {
  const workers = busyWorkers === 1 ? '1 worker is' : `${busyWorkers} workers are`
  return `has stalled: no block has finished for ${showDuration(seconds)}; ${counted(tasks)}, ${workers} busy.`
}

function counted(tasks: readonly TaskCounts[]): string {
  const sum = (of: (task: TaskCounts) => number) => tasks.reduce((total, task) => total + of(task), 0)
  return showBlocksOf(
    sum(({ completed }) => completed),
    sum(({ total }) => total),
  )
}
