import { readFileSync, renameSync, writeFileSync } from 'node:fs'

/** A JSON document, undefined where there is none that can be read. */
export function readJson<Document>(file: string): Document | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Document
  } catch {
    return undefined
  }
}

/** Writes a file so that a reader sees the old text or the new one. */
export function writeWhole(file: string, text: string, mode?: number): void {
  const temporary = `${file}.${process.pid}`
  writeFileSync(temporary, text, mode === undefined ? {} : { mode })
  renameSync(temporary, file)
}
