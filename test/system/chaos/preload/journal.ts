import fs from 'node:fs'
import { join } from 'node:path'
import { threadId } from 'node:worker_threads'
import { JOURNAL } from './control.ts'
import { paths } from './disk.ts'

/** A line of the journal. Later lines of other processes may undo the doubt of earlier ones: they have the time. */
export type JournalEntry =
  | { readonly at: number; readonly type: 'written' | 'synced' | 'made'; readonly path: string }
  /** `old` has the content that the name had before, if it existed. */
  | {
      readonly at: number
      readonly type: 'renamed'
      readonly from: string
      readonly path: string
      readonly old?: string
    }

const folder = process.env[JOURNAL]
// Node's own functions call each other through node:fs, so only those that do not are used here.
const { closeSync, linkSync, openSync, renameSync, writeSync } = fs
let kept = 0

// Written at once, so that it outlives SIGKILL.
const note = (entry: Record<string, unknown> & { readonly path: string | undefined }): void => {
  if (folder === undefined || entry.path?.startsWith(folder)) return
  const at = performance.timeOrigin + performance.now()
  const file = openSync(join(folder, `${process.pid}-${threadId}.jsonl`), 'a')
  writeSync(file, `${JSON.stringify({ at, ...entry })}\n`)
  closeSync(file)
}

/** Keeps what a name stands for before it is taken by another file. */
function noteRename(from: string, path: string): void {
  if (folder === undefined || path.startsWith(folder)) return
  const old = join(folder, `old-${process.pid}-${threadId}-${kept++}`)
  try {
    linkSync(path, old)
    note({ type: 'renamed', from, path, old })
  } catch {
    note({ type: 'renamed', from, path })
  }
}

type Call = (...args: unknown[]) => unknown
type Done = (error: Error | null, ...values: unknown[]) => void
const calls = fs as unknown as Record<string, Call>
const promises = fs.promises as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>

if (folder !== undefined) {
  const { write, fsync, rename, writeFileSync, fsyncSync } = calls as Record<string, Call>
  calls.write = (...args) => {
    note({ type: 'written', path: paths.get(args[0] as number) })
    return write!(...args)
  }
  calls.fsync = (file, done) => {
    const path = paths.get(file as number)
    return fsync!(file, ((error, ...rest) => {
      if (error === null) note({ type: 'synced', path })
      ;(done as Done)(error, ...rest)
    }) satisfies Done)
  }
  calls.rename = (from, to, done) => {
    noteRename(String(from), String(to))
    return rename!(from, to, done)
  }
  calls.openSync = (...args) => {
    const file = (openSync as unknown as Call)(...args) as number
    paths.set(file, String(args[0]))
    return file
  }
  calls.writeFileSync = (...args) => {
    writeFileSync!(...args)
    const isFlushed = (args[2] as { flush?: boolean } | undefined)?.flush === true
    note({ type: isFlushed ? 'synced' : 'written', path: String(args[0]) })
  }
  calls.renameSync = (from, to) => {
    noteRename(String(from), String(to))
    return renameSync(from as string, to as string)
  }
  calls.fsyncSync = (file) => {
    fsyncSync!(file)
    note({ type: 'synced', path: paths.get(file as number) })
  }
  const { mkdir } = promises
  promises.mkdir = async (...args) => {
    const made = await mkdir!(...args)
    note({ type: 'made', path: String(args[0]) })
    return made
  }
}
