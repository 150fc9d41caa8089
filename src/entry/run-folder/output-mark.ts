import { existsSync, lstatSync } from 'node:fs'
import { join } from 'node:path'
import { readTextFile } from '../../adapters/files/open-file.ts'
import { isObjectAddress } from '../../adapters/objects/object-address.ts'
import { readObjectMark, writeObjectMark } from '../../adapters/zarr/objects/object-marks.ts'
import { MARK_FILE } from '../../adapters/zarr/write-guard.ts'
import { ConfigError, InfrastructureError } from '../../core/errors.ts'
import { belongsToLineage, type Lineage, type LineageMark } from '../../core/progress/lineage.ts'
import { systemFailure, systemReason } from '../../core/system-errors.ts'
import { showTime } from '../../core/text/local-time.ts'
import { isSameRunName } from '../../core/text/run-name.ts'
import { parseValidLeases, type ValidLeases } from '../../core/workers/valid-leases.ts'
import { packedArrays, packedFileOf } from '../arrays.ts'
import { replaceFile } from './run-files.ts'

/** Who wrote an output: what the file `.bellis-run` in its folder contains. */
export interface OutputMark extends LineageMark {
  /** That of the record of the run; a random one if the run has no record. */
  readonly id: string
  /** The name of the run. */
  readonly run: string
  /** The folder of the run. */
  readonly folder: string
  /** The command that started it, without credentials. */
  readonly command: string
  /** When the array was first written by this run, ISO. */
  readonly started: string
  /** The version of Bellis. */
  readonly bellis: string
}

/** A mark as it was found: version 0.1.0 wrote the name of the run alone. */
export type FoundMark = Pick<OutputMark, 'run'> & Partial<OutputMark>

/**
 * The run that last wrote an array; undefined if none did or the array is missing.
 * @param path of the array: a folder, a place in an object store, or one in a file that was written once
 * @throws InfrastructureError `UNAUTHORIZED`, `IO_ERROR` if the store does not answer
 */
export async function readMark(path: string): Promise<FoundMark | undefined> {
  if (isObjectAddress(path)) {
    const text = await readObjectMark(path)
    return text === undefined ? undefined : parseMark(text)
  }
  const packed = packedFileOf(path)
  if (packed !== undefined) {
    const text = await packedArrays.markIn(packed)
    return text === undefined ? undefined : parseMark(text)
  }
  const file = join(path, MARK_FILE)
  try {
    // An array from others may have a pipe in its place, which reading would wait for.
    return lstatSync(file).isFile() ? parseMark(readTextFile(file)) : undefined
  } catch {
    return undefined
  }
}

/** A mark that cannot be understood names no run. */
export function parseMark(text: string): FoundMark {
  if (!text.startsWith('{')) return { run: text.trim() }
  try {
    const found = JSON.parse(text) as Record<string, unknown>
    const texts = Object.entries(found).filter(([, value]) => typeof value === 'string')
    const { removals } = found
    return {
      run: '',
      ...Object.fromEntries(texts),
      ...(Number.isSafeInteger(removals) ? { removals: removals as number } : {}),
    }
  } catch {
    return { run: '' }
  }
}

/**
 * Says in the mark of an array which leases of its run hold; does nothing if it is not the mark of that run.
 * @param path of the array: a folder
 * @throws ConfigError, InfrastructureError if it can't be written
 */
export const markLeases = (path: string, id: string, leases: ValidLeases): void =>
  changeMark(path, id, { leases }, false)

/** Changes fields of the mark of a folder, in one step: nothing else of this process can come in between. */
function changeMark(path: string, id: string, fields: object, fsync: boolean): void {
  const file = join(path, MARK_FILE)
  const mark = readJson(file)
  if (mark?.id !== id) return
  try {
    replaceFile(file, textOf({ ...mark, ...fields }), { fsync })
  } catch (error) {
    // What was removed is not written any more.
    if (!existsSync(path)) return
    const { code, reason, remedy } = systemFailure(error) ?? {
      code: 'IO_ERROR',
      reason: systemReason(error),
      remedy: 'start the run again',
    }
    const message = `Can't say in ${file} which run may write the array: ${reason}; ${remedy}.`
    const ErrorKind = code === 'READ_ONLY' ? ConfigError : InfrastructureError
    throw new ErrorKind(code, message, { cause: error })
  }
}

const textOf = (mark: object): string => `${JSON.stringify(mark, null, 2)}\n`

/** What the mark of an array says of leases. @param path of the array: a folder */
export const leasesIn = (path: string): ValidLeases | undefined =>
  parseValidLeases(readJson(join(path, MARK_FILE))?.leases)

/** @returns undefined for what is missing, damaged, or no file: an array from others may have a pipe in its place */
function readJson(file: string): Record<string, unknown> | undefined {
  try {
    const found: unknown = lstatSync(file).isFile() ? JSON.parse(readTextFile(file)) : undefined
    return typeof found === 'object' && found !== null ? (found as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

/** Marks an array as written by a run. @param path of the array: a folder, or a place in an object store */
export async function writeMark(path: string, mark: OutputMark, fsync = false): Promise<void> {
  const text = textOf(mark)
  if (isObjectAddress(path)) await writeObjectMark(path, text)
  else replaceFile(join(path, MARK_FILE), text, { fsync })
}

/**
 * Says in the mark of an array which state of its record wrote it; does nothing if it is not the mark of that record.
 * @param path of the array: a folder, or a place in an object store
 * @throws ConfigError, InfrastructureError if it can't be written
 */
export async function markLineage(path: string, id: string, lineage: LineageMark, fsync: boolean): Promise<void> {
  if (!isObjectAddress(path)) {
    changeMark(path, id, lineage, fsync)
    return
  }
  const mark = await readMark(path)
  if (mark?.id === id) await writeObjectMark(path, textOf({ ...mark, ...lineage }))
}

/** A run, compared with marks. `id` is that of its record: undefined if it has none, or one without an id. */
export interface MarkedRun extends Pick<OutputMark, 'run' | 'folder'> {
  readonly id?: string | undefined
  readonly lineage?: Lineage | undefined
}

/** Whether a mark is that of a run, or of one that the same command has since replaced in the same folder. */
export function isMarkOf(mark: FoundMark, run: MarkedRun): boolean {
  if (mark.id === undefined) return isSameRunName(mark.run, run.run)
  return mark.id === run.id || isSameRun(mark, run)
}

const isSameRun = (mark: FoundMark, { run, folder }: MarkedRun): boolean => mark.run === run && mark.folder === folder

/**
 * Whether what a record says of an output holds: the mark names the record, and its state. A record of version 0.1.0 has no id, so the name of the run
 * has to do, until both have one.
 */
export function confirmsRecord(mark: FoundMark | undefined, run: MarkedRun): boolean {
  if (mark === undefined) return false
  if (run.id !== undefined) return mark.id === run.id && belongsToLineage(mark, run.lineage)
  return mark.id === undefined ? isSameRunName(mark.run, run.run) : isSameRun(mark, run)
}

/** Who wrote an output, for people: `bellis smooth raw out.zarr/raw (run smooth-out-smoothed-1a2b3c4d, 2026-11-29 01:40)`. */
export function describeMark({ run, command, started, folder }: FoundMark): string {
  const time = showTime(started ?? '')
  const when = time === '' ? '' : `, started ${time}`
  const where = folder === undefined ? '' : ` in ${folder}`
  const what = run === '' ? 'another run' : `the run ${run}`
  return command === undefined ? what : `"${command}" (${what}${when}${where})`
}
