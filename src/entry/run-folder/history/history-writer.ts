import { lstatSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { deflateRawSync } from 'node:zlib'
import { closeQuietly } from '../../../adapters/files/close-quietly.ts'
import { printedBytes } from '../../../adapters/files/logs/worker-log.ts'
import { type BlocksFrame, FrameWriter } from '../../../core/board/history-frames.ts'
import type { WireError } from '../../../core/errors.ts'
import type { RunEvent } from '../../../core/events.ts'
import type { EventStream } from '../../../runtime/coordinator/event-stream.ts'
import { type HistoryText, historyFile, historyFolder, historyNumbers, type StoredError } from './history-files.ts'
import { steadyTime } from './run-time.ts'

/** Frames are written together after this time, or when the buffer is full. */
const EVERY_MS = 200
const MAX_UNWRITTEN_BYTES = 1 << 20
const MAX_BYTES = 512 * 2 ** 20
/** The files of all earlier starts together have this part of it; the oldest are removed. */
const PART_BEFORE = 0.5
/** So many messages of errors are remembered; then their numbers are used again. */
const MAX_MESSAGES = 1000
/** For a task with more blocks than this the bitmap of blocks done before is left out: writing it would delay the run. */
const MAX_REMEMBERED_BLOCKS = 2 ** 28

export interface HistoryOptions {
  /** The tasks of the run, in order. */
  readonly tasks: readonly { readonly id: string; readonly blocks: number }[]
  /** The bitmap of a task's blocks that are already done; undefined if none are. */
  doneOf(task: number): Uint8Array | undefined
  /** Whether to remove the history of earlier starts. */
  readonly overwrite: boolean
  /** Largest size on disk; the files of earlier starts have half of it. @default 512 MiB: some 50 million blocks */
  readonly maxBytes?: number | undefined
}

/** The last event of a history that has reached its largest size. */
const FULL =
  'The history of this run is full, so this page shows no further events. The run continues; bellis status shows its progress.'

/** Writes the events of a run into its folder, and stops if that fails. Disposing writes what is buffered. */
export function keepHistory(runFolder: string, events: EventStream, options: HistoryOptions): Disposable {
  let file: number
  try {
    file = openNext(historyFolder(runFolder), options)
  } catch {
    return { [Symbol.dispose]() {} }
  }
  const writer = new HistoryWriter(file, options)
  events.listen((event) => writer.receive(event))
  return writer
}

function openNext(folder: string, { overwrite, maxBytes = MAX_BYTES }: HistoryOptions): number {
  // What a link in its place leads to is no concern of the run, and no reader follows it.
  if (lstatSync(folder, { throwIfNoEntry: false })?.isSymbolicLink()) rmSync(folder)
  mkdirSync(folder, { recursive: true })
  const numbers = historyNumbers(folder)
  let bytes = 0
  for (const number of numbers.toReversed()) {
    const path = join(folder, historyFile(number))
    bytes += lstatSync(path).size
    if (overwrite || bytes > maxBytes * PART_BEFORE) rmSync(path, { force: true })
  }
  return openSync(join(folder, historyFile((numbers.at(-1) ?? 0) + 1)), 'wx')
}

class HistoryWriter implements Disposable {
  readonly #file: number
  readonly #frames = new FrameWriter()
  readonly #names = new Map<string, number>()
  /** The files of the logs of workers that are running. */
  readonly #logs = new Map<string, string>()
  readonly #messages = new Map<string, number>()
  readonly #tasks: ReadonlyMap<string, number>
  readonly #startedAt = performance.now()
  readonly #maxBytes: number
  #bytes = 0
  #timer: NodeJS.Timeout | undefined
  #isOpen = true

  constructor(file: number, { tasks, doneOf, maxBytes = MAX_BYTES }: HistoryOptions) {
    this.#file = file
    this.#maxBytes = maxBytes
    this.#tasks = new Map(tasks.map(({ id }, number) => [id, number]))
    const done = tasks.map(({ blocks }, number) => {
      const bitmap = blocks <= MAX_REMEMBERED_BLOCKS ? doneOf(number) : undefined
      return bitmap?.some((byte) => byte !== 0) ? deflateRawSync(bitmap, { level: 1 }).toString('base64') : null
    })
    this.#text({ type: 'start', time: Date.now(), steady: steadyTime(), done })
    this.#write()
  }

  readonly receive = (event: RunEvent): void => {
    if (!this.#isOpen) return
    switch (event.type) {
      case 'blocks-leased':
        this.#blocks('leased', event)
        break
      case 'blocks-done':
        this.#blocks('done', event, event.ms)
        break
      case 'blocks-returned':
        this.#blocks('returned', event)
        break
      case 'run-started':
      case 'progress':
      case 'jobs':
      case 'packing':
      case 'packed':
        return
      case 'run-finished':
        this.#text({ type: 'run-finished', ok: event.ok, at: this.#now() })
        this.#write()
        return
      case 'block-retried':
        this.#text({ ...event, error: this.#stored(event.error), ...this.#logEnd(event.workerId), at: this.#now() })
        break
      case 'block-failed': {
        const { index, error, attempts, workerId } = event.failure
        const failure = { index, error: this.#stored(error), attempts, workerId }
        const { type, taskId } = event
        this.#text({ type, taskId, failure, ...this.#logEnd(workerId), at: this.#now() })
        break
      }
      case 'worker-started':
        if (event.logFile !== undefined) this.#logs.set(event.workerId, event.logFile)
        this.#text({ ...event, at: this.#now() })
        break
      case 'worker-ended':
        this.#logs.delete(event.workerId)
        this.#text({ ...event, at: this.#now() })
        break
      default:
        this.#text({ ...event, at: this.#now() })
    }
    if (this.#frames.length >= MAX_UNWRITTEN_BYTES) this.#write()
    else this.#timer ??= setTimeout(() => this.#write(), EVERY_MS)
  };

  [Symbol.dispose](): void {
    if (!this.#isOpen) return
    this.#write()
    this.#end()
  }

  #now(): number {
    return Math.round(performance.now() - this.#startedAt)
  }

  #blocks(
    kind: BlocksFrame['kind'],
    { taskId, indices, workerId }: { taskId: string; indices: readonly number[]; workerId: string },
    ms: readonly number[] = [],
  ): void {
    const task = this.#tasks.get(taskId)
    if (task === undefined) return
    let worker = this.#names.get(workerId)
    if (worker === undefined) {
      worker = this.#names.size
      this.#names.set(workerId, worker)
      this.#text({ type: 'name', number: worker, name: workerId })
    }
    this.#frames.blocks({ kind, at: this.#now(), task, worker, indices, ms })
  }

  /** How much is in the log of a worker now, with what was left out of it, if it has one. */
  #logEnd(workerId: string): { readonly logBytes?: number } {
    const file = this.#logs.get(workerId)
    try {
      return file === undefined ? {} : { logBytes: printedBytes(file) }
    } catch {
      // It was removed, or can't be reached.
      return {}
    }
  }

  /** An error without its stack, which the record has; its message is written the first time only. */
  #stored({ code, message }: WireError): StoredError {
    let number = this.#messages.get(message)
    if (number === undefined) {
      if (this.#messages.size === MAX_MESSAGES) this.#messages.clear()
      number = this.#messages.size
      this.#messages.set(message, number)
      this.#text({ type: 'message', number, message })
    }
    return { code, message: number }
  }

  #text(text: HistoryText): void {
    this.#frames.text(Buffer.from(JSON.stringify(text)))
  }

  #write(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (!this.#isOpen) return
    const isFull = this.#bytes + this.#frames.length > this.#maxBytes
    if (isFull) {
      this.#frames.take()
      this.#text({ type: 'warning', message: FULL, at: this.#now() })
    }
    const bytes = this.#frames.take()
    this.#bytes += bytes.length
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#file, bytes, at)
      if (isFull) this.#end()
    } catch {
      // Other writes report a full disk.
      this.#end()
    }
  }

  #end(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    closeQuietly(this.#file)
  }
}
