import { join } from 'node:path'
import type { SavedSessions, SessionKeeper } from '../../runtime/coordinator/workers/saved-sessions.ts'
import { readJson, writeWhole } from './run-files.ts'

const FILE = 'sessions.json'

/** Keeps in a run's folder which workers are at which blocks. For this user alone: it has what workers are known by. */
export function sessionFile(folder: string): SessionKeeper {
  const file = join(folder, FILE)
  const saved = readJson<SavedSessions>(file)
  return {
    ...(saved === undefined || saved.sessions.length === 0 ? {} : { saved }),
    save(sessions) {
      try {
        writeWhole(file, JSON.stringify(sessions), 0o600)
      } catch {
        // A full disk shows where it matters; at worst blocks are done again.
      }
    },
  }
}
