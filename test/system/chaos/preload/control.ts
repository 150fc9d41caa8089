import fs from 'node:fs'

/** What a fault asks of the processes in which `disturb.ts` is loaded; the file is missing while there is no fault. */
export interface Control {
  readonly disk?: {
    readonly kind: 'slow' | 'EIO' | 'ENOSPC' | 'short'
    /** The part of the calls that are disturbed, from 0 to 1. */
    readonly rate: number
    /** Only files in this folder are. */
    readonly folder: string
  }
  /** Whether the database of the record fails to write. */
  readonly isRecordBroken?: boolean
  /** How far the clock has jumped. */
  readonly clockMs?: number
}

/** The variable that names the file. */
export const CONTROL = 'BELLIS_TEST_CONTROL'
/** The variable that names the folder in which each process notes what it has not synced. */
export const JOURNAL = 'BELLIS_TEST_JOURNAL'

/** The files of a record in SQLite; the third one beside them is made again. */
export const RECORD_FILES = ['progress.sqlite', 'progress.sqlite-wal'] as const

const { readFileSync } = fs
const LOOK_MS = 20
let control: Control = {}
let looked = Number.NEGATIVE_INFINITY

/** What is asked now. */
export function asked(): Control {
  const now = performance.now()
  if (now - looked < LOOK_MS) return control
  looked = now
  try {
    control = JSON.parse(readFileSync(process.env[CONTROL] ?? '', 'utf8'))
  } catch {
    control = {}
  }
  return control
}
