import { lstatSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { errnoOf } from '../../core/system-errors.ts'
import { openProgressStore, recordName } from './progress-place.ts'
import { holdRunFolder, INCOMPLETE_PREFIX, type RunDocument } from './run-folder.ts'

/** Names of folders that are being removed. */
const REMOVED_PREFIX = `${INCOMPLETE_PREFIX}removed-`

/** Bytes that are kept of a run. */
export interface KeptBytes {
  readonly record: number
  readonly history: number
  readonly logs: number
  /** All files together, these included. */
  readonly total: number
}

/** What is kept of a run in its folder. Files that vanish meanwhile do not count. */
export function keptBytes(folder: string): KeptBytes {
  const sizes = list(folder).map((name) => [name, bytesBelow(join(folder, name))] as const)
  const sum = (isPart: (name: string) => boolean) =>
    sizes.reduce((total, [name, bytes]) => total + (isPart(name) ? bytes : 0), 0)
  return {
    record: sum((name) => name.startsWith('progress.sqlite')),
    history: sum((name) => name === 'history'),
    logs: sum((name) => name === 'logs'),
    total: sum(() => true),
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  }
}

/** Links are not followed. */
function bytesBelow(path: string): number {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (!stat?.isDirectory()) return stat?.size ?? 0
  return list(path).reduce((total, name) => total + bytesBelow(join(path, name)), 0)
}

/**
 * Removes what is kept of a run: its folder, and its record if that is in a database. Its outputs stay.
 * @throws ConfigError `RUN_LOCKED` while it is running; InfrastructureError if the database can't be reached
 */
export async function removeRun(folder: string, document: RunDocument): Promise<void> {
  using _held = holdRunFolder(folder, document)
  if (document.progress !== 'sqlite') {
    await using store = await openProgressStore(document.progress, folder)
    await store?.remove(await recordName(store, folder))
  }
  // In one step, so that no start finds a folder without half of its files.
  const hidden = join(dirname(folder), `${REMOVED_PREFIX}${process.pid}-${Date.now()}`)
  renameSync(folder, hidden)
  rmSync(hidden, { recursive: true, force: true })
}

/** Removes what a removal that was killed has left. @param home the parent folder of run folders */
export function removeLeftovers(home: string): void {
  for (const name of list(home)) {
    if (name.startsWith(REMOVED_PREFIX)) rmSync(join(home, name), { recursive: true, force: true })
  }
}
