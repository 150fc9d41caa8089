import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Runs a check with a temporary folder, which is removed afterwards. */
export async function inScratch<T>(check: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'bellis-doctor-'))
  try {
    return await check(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
