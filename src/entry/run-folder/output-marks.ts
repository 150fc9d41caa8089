import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeWhole } from './run-files.ts'

/** In the folder of an array: the run that wrote it last. Readers of Zarr pass over it. */
const FILE = '.bellis-run'

/** The run that wrote an array last, undefined where none did or the array is not there. @param path of the array's folder */
export function readMark(path: string): string | undefined {
  try {
    return readFileSync(join(path, FILE), 'utf8').trim()
  } catch {
    return undefined
  }
}

/** Says that from now on this run writes the array. */
export function writeMark(path: string, run: string): void {
  writeWhole(join(path, FILE), `${run}\n`)
}
