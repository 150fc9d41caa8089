import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { temporaryFolder } from './command-line.ts'

const fixtures = new URL('../entry/run-folder/fixtures/', import.meta.url)

/** The module whose tasks the earlier runs ran. */
export const countModule = fileURLToPath(new URL('count.ts', fixtures))

/** The runs that version 0.1.0 left, by how they ended. */
export const EARLIER = {
  done: 'count-158f7767',
  failed: 'first+second-73a25d4e',
  interrupted: 'count-934207eb',
} as const

/** A folder with a copy of the runs of version 0.1.0 in its `.bellis`. */
export function earlierRuns(): ReturnType<typeof temporaryFolder> & { folderOf(run: keyof typeof EARLIER): string } {
  const folder = temporaryFolder()
  const home = join(folder.path, '.bellis')
  cpSync(new URL('runs-0.1.0', fixtures), home, { recursive: true })
  return { ...folder, folderOf: (run) => join(home, EARLIER[run]) }
}
