import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigError, InfrastructureError } from '../../core/errors.ts'
import { isValidLease, parseValidLeases, type ValidLeases } from '../../core/workers/valid-leases.ts'

/** The file in the folder of an array that names the run that wrote it last. Readers of Zarr ignore it. */
export const MARK_FILE = '.bellis-run'
/** The file in the folder of an array that names the run that is writing it now. */
export const LOCK_FILE = '.bellis-lock'

/** What a mark says to those who write. */
export interface WriteMark {
  /** That of the record of the run. */
  readonly id?: unknown
  /** Says nothing of leases: all hold. */
  readonly leases?: unknown
}

/**
 * Returns a function that throws once an array is marked as that of another run, or has no mark any more, or once its mark says that the
 * block that writes was given to another worker. It costs a look at one file, which is read again only if it was replaced.
 * @param folder of the array
 * @param owner the id in the mark of the run that writes, now
 * @param lease of the block that writes, now
 * @throws ConfigError, InfrastructureError `RUN_LOCKED`
 */
export function writeGuard(
  folder: string,
  owner: () => string,
  lease: () => number | undefined = () => undefined,
): () => void {
  const file = join(folder, MARK_FILE)
  let known: { readonly version: string; readonly leases: ValidLeases | undefined } | undefined
  return () => {
    const found = versionOf(file)
    const expected = owner()
    if (found === undefined) throw runIsOver(folder)
    const version = `${found} ${expected}`
    if (known?.version !== version) {
      const mark = read(file) as WriteMark | undefined
      if (mark?.id !== expected) throw runIsOver(folder)
      known = { version, leases: parseValidLeases(mark.leases) }
    }
    const { leases } = known
    const number = lease()
    if (leases !== undefined && number !== undefined && !isValidLease(leases, number)) throw blockIsTaken(folder)
  }
}

/** @param folder of the array */
export const blockIsTaken = (folder: string): InfrastructureError =>
  new InfrastructureError(
    'RUN_LOCKED',
    `This block was taken from its worker, which took too long or was away, and given to another one, so it writes nothing more to ${folder}.`,
  )

/** @param folder of the array */
export const runIsOver = (folder: string): ConfigError =>
  new ConfigError(
    'RUN_LOCKED',
    `${folder} was replaced, or taken by another run, so nothing more is written to it; the run that this block belongs to is over.`,
  )

/**
 * Why an array must not be written for a block any more: it no longer belongs to the run, or is about to be taken from it (its mark is
 * another one, or the lock of the run that writes it now names the record of this run as one that it replaces), or the block was given to
 * another worker.
 * @param folder of the array; one that is missing on this machine says nothing
 * @param owner the id in the mark of the run
 * @param lease of the block
 */
export function whyTaken(folder: string, owner: string, lease?: number): Error | undefined {
  const mark = read(join(folder, MARK_FILE)) as WriteMark | undefined
  if (mark?.id !== owner) return existsSync(folder) ? runIsOver(folder) : undefined
  const { about } = (read(join(folder, LOCK_FILE)) ?? {}) as { readonly about?: { readonly replaces?: unknown } }
  if (about?.replaces === owner) return runIsOver(folder)
  const leases = parseValidLeases(mark.leases)
  return leases === undefined || lease === undefined || isValidLease(leases, lease) ? undefined : blockIsTaken(folder)
}

function versionOf(file: string): string | undefined {
  const found = statSync(file, { bigint: true, throwIfNoEntry: false })
  return found === undefined ? undefined : `${found.ino} ${found.mtimeNs} ${found.size}`
}

/** @returns undefined if it is missing or damaged */
function read(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) ?? undefined
  } catch {
    return undefined
  }
}
