import { randomUUID } from 'node:crypto'
import { lstatSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { ControlCommand } from '../../../core/control/commands.ts'
import { describeControl } from '../../../core/control/control-text.ts'
import { ConfigError, InfrastructureError } from '../../../core/errors.ts'
import type { ControlEvent } from '../../../core/events.ts'
import { errnoOf } from '../../../core/system-errors.ts'
import { ownCommand } from '../../own-command.ts'
import { continuationOf } from '../continuation.ts'
import { readJson } from '../run-files.ts'
import { readRunDocument, runHolderOf } from '../run-folder.ts'
import { readRunState } from '../run-state.ts'
import { answerFile, type ControlAnswer, controlFolder, requestFile } from './control-folder.ts'

const FIRST_LOOK_MS = 10
const MAX_LOOK_MS = 250
/** How often it is checked whether the run still exists. */
const CHECK_MS = 1000
/** How long a run may take to take a command: it looks each second, but a task with `--pool inline` may keep it busy. */
const TAKE_MS = 30_000
/** How long a run that has just been started may take until it receives commands. */
const START_MS = 3000

const ERROR_CODE = /^[A-Z][A-Z0-9_]{0,63}$/

export interface SendOptions {
  /** @default 30000 */
  readonly takeMs?: number
}

/**
 * Has a running run carry out a command, from any process of its user.
 * @returns what happened
 * @throws ConfigError `NOT_RUNNING`, saying what to do instead; `UNAUTHORIZED` for the run of another user; what the run refuses;
 * InfrastructureError `CONNECTION_LOST` if it does not take the command: nothing has happened then
 */
export async function sendCommand(
  runFolder: string,
  command: ControlCommand,
  { takeMs = TAKE_MS }: SendOptions = {},
): Promise<ControlEvent> {
  const folder = controlFolder(runFolder)
  await untilReceiving(runFolder, folder, command)
  const id = randomUUID()
  const request = requestFile(folder, id)
  await writeRequest(runFolder, request, command)
  const answer = await awaitAnswer(answerFile(folder, id), {
    takeMs,
    isRunning: () => runHolderOf(runFolder) !== undefined,
    withdraw: () => withdraw(request),
  })
  if (answer === 'ended') throw await notRunning(runFolder, command, 'ended before it answered')
  if (answer === 'withdrawn') {
    throw new InfrastructureError(
      'CONNECTION_LOST',
      `${basename(runFolder)} did not take the command within ${takeMs / 1000} s, and nothing was changed; it may be busy with a block of --pool inline, or its folder reaches this machine late: try again.`,
    )
  }
  return eventOf(answer, runFolder)
}

/** @throws what the run refuses; InfrastructureError `CORRUPT_DATA` for an answer that no run gives: the folder may be that of another user */
function eventOf(answer: ControlAnswer, runFolder: string): ControlEvent {
  let refusal: ConfigError | undefined
  try {
    if (answer.status === 'done') {
      if (describeControl(answer.event) !== undefined) return answer.event
    } else if (ERROR_CODE.test(answer.error.code)) {
      refusal = new ConfigError(answer.error.code, String(answer.error.message))
    }
  } catch {
    // Something is missing in it.
  }
  throw (
    refusal ??
    new InfrastructureError(
      'CORRUPT_DATA',
      `${basename(runFolder)} gave an answer that can't be understood, so what it did is not known; ${ownCommand('status', runFolder)} shows its state.`,
    )
  )
}

async function untilReceiving(runFolder: string, folder: string, command: ControlCommand): Promise<void> {
  for (let waited = 0; ; waited += MAX_LOOK_MS) {
    if (runHolderOf(runFolder) === undefined) throw await notRunning(runFolder, command)
    if (lstatSync(folder, { throwIfNoEntry: false })?.isDirectory()) return
    if (waited >= START_MS)
      throw await notRunning(runFolder, command, 'does not receive commands, since it is just starting or ending')
    await wait(MAX_LOOK_MS)
  }
}

async function writeRequest(runFolder: string, request: string, command: ControlCommand): Promise<void> {
  const temporary = `${request}.${process.pid}`
  try {
    writeFileSync(temporary, JSON.stringify(command), { mode: 0o600, flag: 'wx' })
    renameSync(temporary, request)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT') throw await notRunning(runFolder, command)
    if (errno !== 'EACCES' && errno !== 'EPERM') throw error
    const holder = runHolderOf(runFolder)
    throw new ConfigError(
      'UNAUTHORIZED',
      `${basename(runFolder)} belongs to ${holder?.user ?? 'another user'}; only its own user can control it.`,
      { cause: error },
    )
  }
}

/** @returns whether the run had not taken it */
function withdraw(request: string): boolean {
  try {
    rmSync(request)
    return true
  } catch {
    return false
  }
}

interface Waiting {
  readonly takeMs: number
  isRunning(): boolean
  withdraw(): boolean
}

async function awaitAnswer(
  file: string,
  { takeMs, isRunning, withdraw }: Waiting,
): Promise<ControlAnswer | 'ended' | 'withdrawn'> {
  const start = performance.now()
  let checkedAt = start
  let mayWithdraw = true
  for (let pause = FIRST_LOOK_MS; ; pause = Math.min(MAX_LOOK_MS, pause * 2)) {
    await wait(pause)
    const now = performance.now()
    // Asked before the last look, so that an answer that was written just before the end is seen.
    const hasEnded = now - checkedAt >= CHECK_MS && !isRunning()
    if (now - checkedAt >= CHECK_MS) checkedAt = now
    const answer = readJson<ControlAnswer>(file)
    if (answer !== undefined) {
      rmSync(file, { force: true })
      return answer
    }
    if (hasEnded) return 'ended'
    if (mayWithdraw && now - start >= takeMs) {
      if (withdraw()) return 'withdrawn'
      // It is being carried out, however long that takes.
      mayWithdraw = false
    }
  }
}

async function notRunning(runFolder: string, command: ControlCommand, what = 'is not running'): Promise<ConfigError> {
  const document = readRunDocument(runFolder)
  const again =
    document?.command === undefined
      ? 'its command, once more'
      : continuationOf(document.command, document.directory, document.variables)
  const state = await readRunState(runFolder, { limit: 0 }).catch(() => undefined)
  const remedy = state?.condition === 'done' ? remedyOfDone(command, again) : remedyOf(command, again)
  return new ConfigError('NOT_RUNNING', `${basename(runFolder)} ${what}; ${remedy}.`)
}

function remedyOf(command: ControlCommand, again: string): string {
  switch (command.type) {
    case 'stop':
      return `there is nothing to stop; ${ownCommand('runs')} shows how each run ended`
    case 'scale':
      return `to continue it, add --workers ${command.workers} to: ${again}`
    case 'retry':
      return `the same command tries its failed blocks again: ${again}`
    case 'reset':
      return `${ownCommand('reset', '--help')} says how its blocks are forgotten; to continue it: ${again}`
    default:
      return command satisfies never
  }
}

/** Nothing is left to continue. */
function remedyOfDone(command: ControlCommand, again: string): string {
  switch (command.type) {
    case 'scale':
      return 'all of its blocks are done, so it needs no workers'
    case 'retry':
      return 'all of its blocks are done, so there is none to try again'
    case 'stop':
    case 'reset':
      return remedyOf(command, again)
    default:
      return command satisfies never
  }
}
