import { closeSync, fstatSync, mkdirSync, openSync, readdirSync, readSync, rmSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { type BlocksFrame, FrameWriter, readFrames } from '../../core/board/history-frames.ts'
import type { PictureEvent } from '../../core/board/run-picture.ts'
import type { RunEvent } from '../../core/events.ts'
import type { EventStream } from '../../runtime/coordinator/event-stream.ts'

// What a run writes down of how it goes, a file for each of its starts: what the dashboard is drawn from, while the run is on and after.
// Nothing depends on it: what is done says the record.

const FOLDER = 'history'
/** Frames are written together, at most so often. */
const EVERY_MS = 200
const MAX_UNWRITTEN_BYTES = 1 << 20
const MAX_BYTES = 512 * 2 ** 20
/** Of all starts before: the oldest go. */
const MAX_BYTES_BEFORE = 256 * 2 ** 20
const PIECE = 1 << 20
/** Of a task with more blocks than this a start does not say which were done before: it would hold up the run to write it. */
const MAX_REMEMBERED_BLOCKS = 2 ** 28

/** The first text of a file. */
interface StartText {
  readonly type: 'start'
  /** Milliseconds since 1970; all else counts from here. */
  readonly time: number
  /** Bitmaps of the blocks that were done before, deflated, base64; null where none was. */
  readonly done: readonly (string | null)[]
}

/** A worker's number in frames of blocks. */
interface NameText {
  readonly type: 'name'
  readonly number: number
  readonly name: string
}

type Text = StartText | NameText | (PictureEvent & { readonly at: number })

export interface HistoryOptions {
  /** The run's tasks, in its order. */
  readonly tasks: readonly { readonly id: string; readonly blocks: number }[]
  /** The blocks of a task that are done already. */
  doneOf(task: number): Uint8Array | undefined
  /** Forgets the history of earlier starts. */
  readonly overwrite: boolean
  /** What it may take of the disk. @default 512 MiB: some 50 million blocks */
  readonly maxBytes?: number
}

/** The last word of a history that takes no more. */
const FULL =
  'The history of this run is full: what happens from here on is not shown. The run goes on; bellis status says how it is.'

const fileName = (number: number): string => String(number).padStart(6, '0')

/** The numbers of a run's files, ascending. */
function filesIn(folder: string): number[] {
  try {
    return readdirSync(folder)
      .filter((name) => /^\d{6}$/.test(name))
      .map(Number)
      .sort((a, b) => a - b)
  } catch {
    return []
  }
}

/** Writes what happens in a run into its folder. What can't be written is left out. Disposing writes what is left. */
export function keepHistory(runFolder: string, events: EventStream, options: HistoryOptions): Disposable {
  let file: number
  try {
    file = openNext(join(runFolder, FOLDER), options.overwrite)
  } catch {
    return { [Symbol.dispose]() {} }
  }
  const writer = new HistoryWriter(file, options)
  events.listen((event) => writer.receive(event))
  return writer
}

function openNext(folder: string, overwrite: boolean): number {
  mkdirSync(folder, { recursive: true })
  const numbers = filesIn(folder)
  let bytes = 0
  for (const number of numbers.toReversed()) {
    const path = join(folder, fileName(number))
    bytes += statSync(path).size
    if (overwrite || bytes > MAX_BYTES_BEFORE) rmSync(path, { force: true })
  }
  return openSync(join(folder, fileName((numbers.at(-1) ?? 0) + 1)), 'wx')
}

class HistoryWriter implements Disposable {
  readonly #file: number
  readonly #frames = new FrameWriter()
  readonly #names = new Map<string, number>()
  readonly #tasks: ReadonlyMap<string, number>
  readonly #begun = performance.now()
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
    this.#text({ type: 'start', time: Date.now(), done })
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
        return
      case 'run-finished':
        this.#text({ type: 'run-finished', ok: event.ok, at: this.#now() })
        this.#write()
        return
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
    return Math.round(performance.now() - this.#begun)
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

  #text(text: Text): void {
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
      // A full disk shows where it matters.
      this.#end()
    }
  }

  #end(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    closeSync(this.#file)
  }
}

/** Who is told what a history says, in order. */
export interface HistoryReceiver {
  /** A start of the run. */
  begin(time: number, done: readonly (Uint8Array | undefined)[]): void
  blocks(frame: BlocksFrame, time: number, workerId: string): void
  event(event: PictureEvent, time: number): void
  /** Of a start that was followed by another: how long blocks took then. */
  note(task: number, indices: readonly number[], ms: readonly number[], workerId: string): void
}

/** Reads the history of a run, and follows it while it is written. */
export class HistoryReader implements Disposable {
  readonly #folder: string
  readonly #receiver: HistoryReceiver
  #number = 0
  #file: number | undefined
  #at = 0
  /** Another start of the run came after the one that is read. */
  #isPast = false
  #time = 0
  #names: string[] = []
  #rest = new Uint8Array()

  constructor(runFolder: string, receiver: HistoryReceiver) {
    this.#folder = join(runFolder, FOLDER)
    this.#receiver = receiver
  }

  /** Reads a piece of what was written since. @returns whether there is more */
  readOn(): boolean {
    if (this.#file === undefined && !this.#openNext()) return false
    const piece = Buffer.allocUnsafe(PIECE)
    const length = readSync(this.#file as number, piece, 0, PIECE, this.#at)
    if (length === 0) return this.#openNext()
    this.#at += length
    const bytes = Buffer.concat([this.#rest, piece.subarray(0, length)])
    const used = readFrames(bytes, (frame) => {
      try {
        if (frame.kind === 'text') this.#takeText(frame.bytes)
        else this.#takeBlocks(frame)
      } catch {
        // Not what was written: a disk that failed. What follows still counts.
      }
    })
    this.#rest = bytes.subarray(used)
    return true
  }

  [Symbol.dispose](): void {
    if (this.#file !== undefined) closeSync(this.#file)
    this.#file = undefined
  }

  /** The next file, if there is one; the one before ends there, however it does. */
  #openNext(): boolean {
    // While nothing new comes this is all that is asked.
    if (this.#file !== undefined && fstatSync(this.#file).size > this.#at) return true
    const numbers = filesIn(this.#folder).filter((number) => number > this.#number)
    const [next] = numbers
    if (next === undefined) return false
    this[Symbol.dispose]()
    try {
      this.#file = openSync(join(this.#folder, fileName(next)), 'r')
    } catch {
      // Removed just now: a start that overwrites.
      this.#number = next
      return numbers.length > 1
    }
    this.#number = next
    this.#isPast = numbers.length > 1
    this.#at = 0
    this.#rest = new Uint8Array()
    this.#names = []
    return true
  }

  #takeText(bytes: Uint8Array): void {
    const text = JSON.parse(Buffer.from(bytes).toString('utf8')) as Text
    switch (text.type) {
      case 'start':
        this.#time = text.time
        if (!this.#isPast) this.#receiver.begin(text.time, text.done.map(decodeBitmap))
        return
      case 'name':
        this.#names[text.number] = text.name
        return
      default:
        if (!this.#isPast) this.#receiver.event(text, this.#time + text.at)
    }
  }

  #takeBlocks(frame: BlocksFrame): void {
    const worker = this.#names[frame.worker] ?? ''
    if (!this.#isPast) this.#receiver.blocks(frame, this.#time + frame.at, worker)
    else if (frame.kind === 'done') this.#receiver.note(frame.task, frame.indices, frame.ms, worker)
  }
}

function decodeBitmap(text: string | null): Uint8Array | undefined {
  return text === null ? undefined : new Uint8Array(inflateRawSync(Buffer.from(text, 'base64')))
}
