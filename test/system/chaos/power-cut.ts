import { copyFileSync, existsSync, linkSync, readdirSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Chance } from './chance.ts'
import { RECORD_FILES } from './preload/control.ts'
import type { JournalEntry } from './preload/journal.ts'

/** All that processes have noted, in order. */
function entriesOf(journal: string): JournalEntry[] {
  const lines = readdirSync(journal)
    .filter((name) => name.endsWith('.jsonl'))
    .flatMap((name) => readFileSync(join(journal, name), 'utf8').split('\n'))
  return lines
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line) as JournalEntry)
    .sort((a, b) => a.at - b.at)
}

/**
 * Takes back what a power cut may take: names whose folder was not synced since, and the content of files that were not synced. Each of
 * these is kept or lost by chance, as on a real disk. All processes have ended.
 * @returns how many files and folders were taken back
 */
export function losePower(journal: string, chance: Chance): number {
  const entries = entriesOf(journal)
  const lastSync = new Map<string, number>()
  for (const entry of entries) if (entry.type === 'synced') lastSync.set(entry.path, entry.at)
  const isSyncedAfter = (path: string, at: number) => (lastSync.get(path) ?? Number.NEGATIVE_INFINITY) >= at
  let lost = 0
  /** Names that have got a file that is on the disk: what they named before is of no concern. */
  const safe = new Set<string>()
  // The latest first, so that a name gets back the oldest content.
  for (const entry of entries.toReversed()) {
    if (entry.type === 'renamed') {
      const isNamed = isSyncedAfter(dirname(entry.path), entry.at)
      const found = statSync(entry.path, { throwIfNoEntry: false })
      // What lies in a folder has entries of its own.
      const isStored = lastSync.has(entry.from) || found?.isDirectory()
      if (isNamed && isStored) safe.add(entry.path)
      if (found === undefined || safe.has(entry.path) || chance.happens(0.3)) continue
      lost++
      if (isNamed) truncateSync(entry.path, 0)
      else restore(entry.path, entry.old)
    }
    if (entry.type === 'made' && !isSyncedAfter(dirname(entry.path), entry.at) && chance.happens(0.5)) {
      if (existsSync(entry.path)) lost++
      rmSync(entry.path, { recursive: true, force: true })
    }
  }
  return lost
}

function restore(path: string, old: string | undefined): void {
  rmSync(path, { recursive: true, force: true })
  if (old !== undefined && existsSync(old)) linkSync(old, path)
}

/** Puts a record back to its last state that was on the disk itself. @returns whether there is one */
export function loseRecord(journal: string, runFolder: string): boolean {
  const kept = join(journal, 'record')
  if (!existsSync(join(kept, RECORD_FILES[0]))) return false
  for (const part of [...RECORD_FILES, 'progress.sqlite-shm']) rmSync(join(runFolder, part), { force: true })
  for (const part of RECORD_FILES)
    if (existsSync(join(kept, part))) copyFileSync(join(kept, part), join(runFolder, part))
  return true
}

/** Forgets the journal: what it names has been lost or is safe. */
export function clearJournal(journal: string): void {
  for (const name of readdirSync(journal)) rmSync(join(journal, name), { recursive: true, force: true })
}
