import { fstatSync, readSync } from 'node:fs'
import { inflateRawSync } from 'node:zlib'
import { closeQuietly } from '../../../adapters/files/close-quietly.ts'
import { openBelow } from '../../../adapters/files/open-file.ts'
import { type BlocksFrame, readFrames } from '../../../core/board/history-frames.ts'
import type { PictureEvent } from '../../../core/board/run-picture.ts'
import type { WireError } from '../../../core/errors.ts'
import {
  HISTORY,
  type HistoryText,
  historyFile,
  historyFolder,
  historyNumbers,
  type StoredError,
} from './history-files.ts'
import { timeOfRun } from './run-time.ts'

/** Bytes read at once. */
const PIECE = 1 << 20

/** Receives the content of a history, in order. */
export interface HistoryReceiver {
  /** The run was started. @param now returns its present time */
  begin(time: number, done: readonly (Uint8Array | undefined)[], now: () => number): void
  blocks(frame: BlocksFrame, time: number, workerId: string): void
  event(event: PictureEvent, time: number): void
  /** Of a start that was followed by another one: how long blocks took. */
  keepTimes(task: number, indices: readonly number[], ms: readonly number[], workerId: string): void
}

/** Reads the history of a run, also while it is being written. */
export class HistoryReader implements Disposable {
  readonly #runFolder: string
  readonly #folder: string
  readonly #receiver: HistoryReceiver
  #number = 0
  #file: number | undefined
  #at = 0
  /** Whether another start of the run followed the one that is being read. */
  #isPast = false
  #time = 0
  #names: string[] = []
  #messages: string[] = []
  #rest = new Uint8Array()

  constructor(runFolder: string, receiver: HistoryReceiver) {
    this.#runFolder = runFolder
    this.#folder = historyFolder(runFolder)
    this.#receiver = receiver
  }

  /** Reads the next piece. @returns whether there may be more */
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
        // The disk returned something else than was written. The frames that follow may be intact.
      }
    })
    this.#rest = bytes.subarray(used)
    return true
  }

  [Symbol.dispose](): void {
    if (this.#file !== undefined) closeQuietly(this.#file)
    this.#file = undefined
  }

  /** Opens the next file, if there is one; the current one is finished then, even if it ends within a frame. */
  #openNext(): boolean {
    // As long as nothing is written, nothing more is checked.
    if (this.#file !== undefined && fstatSync(this.#file).size > this.#at) return true
    const numbers = historyNumbers(this.#folder).filter((number) => number > this.#number)
    const [next] = numbers
    if (next === undefined) return false
    this[Symbol.dispose]()
    try {
      this.#file = openBelow(this.#runFolder, HISTORY, historyFile(next))
    } catch {
      // Just removed by a start that overwrites, or no file: the folder may be that of another user.
      this.#number = next
      return numbers.length > 1
    }
    this.#number = next
    this.#isPast = numbers.length > 1
    this.#at = 0
    this.#rest = new Uint8Array()
    this.#names = []
    this.#messages = []
    return true
  }

  #takeText(bytes: Uint8Array): void {
    const text = JSON.parse(Buffer.from(bytes).toString('utf8')) as HistoryText
    switch (text.type) {
      case 'start':
        this.#time = text.time
        if (!this.#isPast) {
          this.#receiver.begin(text.time, text.done.map(decodeBitmap), timeOfRun(text.time, text.steady))
        }
        return
      case 'name':
        this.#names[text.number] = text.name
        return
      case 'message':
        this.#messages[text.number] = text.message
        return
      case 'block-retried':
        this.#event({ ...text, error: this.#restored(text.error) }, text.at)
        return
      case 'block-failed':
        this.#event({ ...text, failure: { ...text.failure, error: this.#restored(text.failure.error) } }, text.at)
        return
      default:
        this.#event(text, text.at)
    }
  }

  #event(event: PictureEvent, at: number): void {
    if (!this.#isPast) this.#receiver.event(event, this.#time + at)
  }

  #restored({ code, message }: StoredError): WireError {
    return { code, message: typeof message === 'string' ? message : (this.#messages[message] ?? '') }
  }

  #takeBlocks(frame: BlocksFrame): void {
    const worker = this.#names[frame.worker] ?? ''
    if (!this.#isPast) this.#receiver.blocks(frame, this.#time + frame.at, worker)
    else if (frame.kind === 'done') this.#receiver.keepTimes(frame.task, frame.indices, frame.ms, worker)
  }
}

/** A bitmap is left out for a task with more blocks than eight times this. */
const MAX_BITMAP_BYTES = 2 ** 25

function decodeBitmap(text: string | null): Uint8Array | undefined {
  return text === null
    ? undefined
    : new Uint8Array(inflateRawSync(Buffer.from(text, 'base64'), { maxOutputLength: MAX_BITMAP_BYTES }))
}
