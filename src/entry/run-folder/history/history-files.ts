import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { PictureEvent } from '../../../core/board/run-picture.ts'
import type { ErrorCode } from '../../../core/errors.ts'
import type { SteadyTime } from './run-time.ts'

// The history of a run: one file per start, from which its page is drawn, during the run and afterwards. Nothing depends on it: the record
// decides what is done. A file is a sequence of frames (core/board/history-frames.ts); its text frames contain the JSON described here.

/** The first text of a file. */
export interface StartText {
  readonly type: 'start'
  /** Milliseconds since 1970; all other times of the file are relative to it. */
  readonly time: number
  /** The same moment by a clock that nobody sets; absent in files of version 0.1.0. */
  readonly steady?: SteadyTime
  /** Bitmaps of the blocks that were done before, deflated, base64, by task; null if there are none. */
  readonly done: readonly (string | null)[]
}

/** Maps the number that frames of blocks use for a worker to its name. */
export interface NameText {
  readonly type: 'name'
  readonly number: number
  readonly name: string
}

/** Maps the number that further texts use for the message of an error to the message, since errors repeat. */
export interface MessageText {
  readonly type: 'message'
  readonly number: number
  readonly message: string
}

/** An error in a text; its message is a number in files of version 0.2.0 and later. */
export interface StoredError {
  readonly code: ErrorCode
  readonly message: number | string
}

type FailedBlock = Extract<PictureEvent, { type: 'block-failed' }>['failure']

/** A failed attempt, of which only what the page shows is kept. */
export type AttemptText =
  | (Omit<Extract<PictureEvent, { type: 'block-retried' }>, 'error'> & { readonly error: StoredError })
  | {
      readonly type: 'block-failed'
      readonly taskId: string
      readonly logBytes?: number
      readonly failure: Omit<FailedBlock, 'error'> & { readonly error: StoredError }
    }

export type HistoryText =
  | StartText
  | NameText
  | MessageText
  | ((AttemptText | Exclude<PictureEvent, { type: 'block-retried' | 'block-failed' }>) & { readonly at: number })

/** The folder of these files in that of a run. */
export const HISTORY = 'history'

export const historyFolder = (runFolder: string): string => join(runFolder, HISTORY)

/** `000001` for the first start. */
export const historyFile = (number: number): string => String(number).padStart(6, '0')

/** The numbers of the files in a history folder, ascending; empty if the folder is missing. */
export function historyNumbers(folder: string): number[] {
  try {
    return readdirSync(folder)
      .filter((name) => /^\d{6}$/.test(name))
      .map(Number)
      .sort((a, b) => a - b)
  } catch {
    return []
  }
}
