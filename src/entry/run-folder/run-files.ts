import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { z } from 'zod'
import { readTextBelow } from '../../adapters/files/open-file.ts'
import type { IdleBlocks } from '../../core/board/run-board.ts'
import type { WireError } from '../../core/errors.ts'
import type { RunEvent, TaskCounts } from '../../core/events.ts'
import { given } from '../../core/given.ts'
import type { EventStream } from '../../runtime/coordinator/event-stream.ts'
import type { SavedSessions, SessionKeeper } from '../../runtime/coordinator/workers/saved-sessions.ts'

// Small files that are always replaced as a whole: live.json, masks.json and sessions.json of a run's folder. Marks in outputs: output-mark.ts.

/**
 * Reads a JSON document; undefined if it is missing, unreadable, damaged, or no file but a link: the folder may be that of another user.
 * @param isWhole whether an object has what the document needs @default any object has
 */
export function readJson<Document extends object>(
  file: string,
  isWhole: (found: { readonly [Key in keyof Document]?: unknown }) => boolean = () => true,
): Document | undefined {
  try {
    const found: unknown = JSON.parse(readTextBelow(dirname(file), basename(file)))
    return typeof found === 'object' && found !== null && isWhole(found) ? (found as Document) : undefined
  } catch {
    return undefined
  }
}

/** Replaces a file in one step: readers see either the old text or the new one. */
export function replaceFile(file: string, text: string, { mode, fsync = false }: ReplaceOptions = {}): void {
  const temporary = `${file}.${process.pid}`
  // A file that is there already would keep its permissions, and a link would lead to another file.
  rmSync(temporary, { force: true })
  try {
    writeFileSync(temporary, text, { flush: fsync, flag: 'wx', ...(mode === undefined ? {} : { mode }) })
    renameSync(temporary, file)
  } catch (error) {
    // A disk that is full stays full by what is left on it.
    rmSync(temporary, { force: true })
    throw error
  }
  if (fsync) syncFolder(dirname(file))
}

export interface ReplaceOptions {
  /** The permissions of the file. */
  readonly mode?: number
  /** Whether the file and its name are on the disk itself when this returns. @default false */
  readonly fsync?: boolean
}

/** Where folders can't be synced: Windows, and some network file systems. Names are as safe there as the system makes them. */
const CANT_SYNC = new Set(['EINVAL', 'ENOTSUP', 'ENOSYS', 'EISDIR', 'EPERM', 'EACCES'])

/** The names of the files in a folder are on the disk itself when this returns. */
export function syncFolder(folder: string): void {
  let open: number | undefined
  try {
    open = openSync(folder, 'r')
    fsyncSync(open)
  } catch (error) {
    if (!CANT_SYNC.has((error as NodeJS.ErrnoException).code ?? '')) throw error
  } finally {
    if (open !== undefined) closeSync(open)
  }
}

/** The progress of a run, written at most once a second. */
export interface LiveState {
  /** ISO time of writing. */
  readonly time: string
  /** Since the last start of the run. */
  readonly seconds: number
  /** How long the starts before the last one took together; absent if there were none, and in files of version 0.1.0. */
  readonly earlierSeconds?: number
  readonly busyWorkers: number
  readonly tasks: readonly LiveTask[]
  /** Present once that start has ended: whether every block is completed. */
  readonly ok?: boolean
}

export interface LiveTask extends TaskCounts {
  /** Why it was abandoned. */
  readonly error?: WireError
}

const LIVE_FILE = 'live.json'
const LIVE_MS = 1000
/** A run that is killed seems to have ended this long before at most. */
const REFRESH_MS = 10_000

type LiveEvent = Extract<RunEvent, { type: 'run-started' | 'progress' | 'run-finished' }>

/**
 * Keeps the live state in the folder of a running run, until it is disposed. Failures are ignored: nothing depends on it. If nothing happens
 * for long, its time goes on, also when the process exits without an end of the run.
 * @param options `overwrite`: the run starts from nothing, so earlier starts do not count. @default false
 */
export function keepLiveState(folder: string, events: EventStream, { overwrite = false } = {}): Disposable {
  const before = overwrite ? undefined : readLiveState(folder)
  const earlierSeconds = before === undefined ? 0 : before.seconds + (before.earlierSeconds ?? 0)
  const errors = new Map<string, WireError>()
  let last = Number.NEGATIVE_INFINITY
  let timer: NodeJS.Timeout | undefined
  let latest: { readonly event: LiveEvent; readonly at: number } | undefined
  const write = (): void => {
    if (latest === undefined) return
    const { event, at } = latest
    clearTimeout(timer)
    timer = undefined
    last = performance.now()
    const tasks = event.tasks.map((task) => {
      const error = errors.get(task.id)
      return error === undefined ? task : { ...task, error }
    })
    const since = event.type === 'run-finished' ? 0 : (last - at) / 1000
    const seconds = (event.type === 'run-started' ? 0 : event.seconds) + since
    const busyWorkers = event.type === 'progress' ? event.busyWorkers : 0
    const end = event.type === 'run-finished' ? { ok: event.ok } : {}
    const earlier = earlierSeconds > 0 ? { earlierSeconds } : {}
    const state: LiveState = { time: new Date().toISOString(), seconds, ...earlier, tasks, busyWorkers, ...end }
    try {
      replaceFile(join(folder, LIVE_FILE), JSON.stringify(state))
    } catch {
      // Other writes report a full disk.
    }
  }
  const refresh = setInterval(write, REFRESH_MS).unref()
  process.on('exit', write)
  const stop = () => {
    clearTimeout(timer)
    timer = undefined
    clearInterval(refresh)
    process.off('exit', write)
  }
  events.listen((event) => {
    if (event.type === 'task-abandoned') {
      const { code, message } = event.error
      errors.set(event.taskId, { code, message })
    }
    if (event.type !== 'run-started' && event.type !== 'progress' && event.type !== 'run-finished') return
    latest = { event, at: performance.now() }
    if (event.type === 'run-finished') stop()
    const wait = event.type === 'progress' ? last + LIVE_MS - performance.now() : 0
    // Nothing may happen for long after this event: its state is written, too, once it is time.
    if (wait > 0) timer ??= setTimeout(write, wait).unref()
    else write()
  })
  return { [Symbol.dispose]: stop }
}

export const readLiveState = (folder: string): LiveState | undefined =>
  readJson<LiveState>(join(folder, LIVE_FILE), (found) => liveState.safeParse(found).success)

const count = z.number().int().nonnegative()
const names = ['total', 'pending', 'ready', 'processing', 'completed', 'skipped', 'failed', 'orphaned'] as const
const liveState = z.object({
  time: z.string(),
  seconds: z.number(),
  earlierSeconds: z.number().optional(),
  busyWorkers: count,
  tasks: z.array(
    z.object({
      id: z.string(),
      ...Object.fromEntries(names.map((name) => [name, count])),
      error: z.object({ code: z.string(), message: z.string() }).optional(),
    }),
  ),
  ok: z.boolean().optional(),
})

const MASKS_FILE = 'masks.json'
/** One bit per block. */
const MOST_MASK_BYTES = 2 ** 28

const bitmaps = z.array(z.string().nullable())
const masks = z.object({ masked: bitmaps, leftOut: bitmaps.optional() })

/** Writes which blocks of each task need not run, or removes what an earlier start has written. */
export function writeMasks(folder: string, idle: readonly IdleBlocks[]): void {
  const file = join(folder, MASKS_FILE)
  if (idle.every(({ masked, leftOut }) => masked === undefined && leftOut === undefined)) {
    rmSync(file, { force: true })
    return
  }
  const packed = (bits: Uint8Array | undefined) =>
    bits === undefined ? null : deflateRawSync(bits, { level: 1 }).toString('base64')
  const [masked, leftOut] = (['masked', 'leftOut'] as const).map((name) => idle.map((task) => packed(task[name])))
  replaceFile(file, `${JSON.stringify({ masked, leftOut })}\n`)
}

/** @returns the bitmaps of the blocks of a task that needed not run in the last start of the run: none if there are no such blocks */
export function readMasks(folder: string): (task: number) => IdleBlocks {
  const found = readJson<z.output<typeof masks>>(join(folder, MASKS_FILE), (value) => masks.safeParse(value).success)
  return (task) => given({ masked: unpacked(found?.masked[task]), leftOut: unpacked(found?.leftOut?.[task]) })
}

function unpacked(packed: string | null | undefined): Uint8Array | undefined {
  try {
    return packed == null
      ? undefined
      : inflateRawSync(Buffer.from(packed, 'base64'), { maxOutputLength: MOST_MASK_BYTES })
  } catch {
    return undefined
  }
}

const SESSIONS_FILE = 'sessions.json'

const savedSessions = z.object({
  nextWorker: count,
  nextLease: count,
  sessions: z.array(
    z.object({
      number: count,
      key: z.string(),
      host: z.string(),
      wasLaunched: z.boolean(),
      leases: z.array(z.object({ id: count, taskId: z.string(), blocks: z.array(count), reported: count })),
    }),
  ),
})

/**
 * Blocks of tasks are forgotten: those that workers still hold are not theirs any more. What they have written of them may be gone, or is
 * to be done again. This comes before anything is forgotten.
 * @throws the system's error if the file can be neither replaced nor removed
 */
export function dropLeases(folder: string, isForgotten: (taskId: string) => boolean): void {
  const file = join(folder, SESSIONS_FILE)
  const saved = readJson<SavedSessions>(file, (found) => savedSessions.safeParse(found).success)
  if (saved === undefined) return
  if (!saved.sessions.some(({ leases }) => leases.some(({ taskId }) => isForgotten(taskId)))) return
  const sessions = saved.sessions.map((session) => ({
    ...session,
    leases: session.leases.filter(({ taskId }) => !isForgotten(taskId)),
  }))
  try {
    replaceFile(file, JSON.stringify({ ...saved, sessions }), { mode: 0o600, fsync: true })
  } catch {
    // Without it, workers are new ones. That needs no space.
    rmSync(file, { force: true })
  }
}

/** Keeps which workers hold which blocks. Readable by this user only: it contains the keys by which workers are recognized. */
export function sessionFile(folder: string): SessionKeeper {
  const file = join(folder, SESSIONS_FILE)
  const saved = readJson<SavedSessions>(file, (found) => savedSessions.safeParse(found).success)
  return {
    ...(saved === undefined || saved.sessions.length === 0 ? {} : { saved }),
    save(sessions) {
      try {
        replaceFile(file, JSON.stringify(sessions), { mode: 0o600 })
      } catch {
        // Other writes report a full disk; at worst some blocks are done again.
      }
    },
  }
}
