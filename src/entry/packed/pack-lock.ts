import { statSync } from 'node:fs'
import { join } from 'node:path'
import { ioError } from '../../adapters/zarr/files/file-errors.ts'
import { awaitLockFile } from '../../adapters/zarr/lock-file.ts'
import { TEMPORARY_PREFIX } from '../../adapters/zarr/store.ts'
import type { HeldLockFile, LockFile } from '../../adapters/zarr/taken-lock.ts'
import { ConfigError } from '../../core/errors.ts'
import { isMissingFile } from '../../core/system-errors.ts'
import type { PackedFile } from './packed-file.ts'

// Arrays are made in the folder beside a file, and packed, by whoever holds its lock: no array is added to what is being packed. The lock is
// in the folder, and goes with it.

const PACK_LOCK = `${TEMPORARY_PREFIX}pack-lock`
/** In the folder: the file as far as it is packed. It is replaced by the next one who packs. */
export const PACKED = `${TEMPORARY_PREFIX}packed`

const lockOf = ({ unfinished }: PackedFile): string => join(unfinished, PACK_LOCK)

const isPacking = ({ holder }: HeldLockFile): boolean => holder?.about.doing === 'packing'

const packer = ({ path }: PackedFile, { holder }: HeldLockFile): string =>
  `${path} is being packed by process ${holder?.pid} on ${holder?.host}`

/**
 * The lock of those who make arrays, which takes a moment.
 * @throws ConfigError `RUN_LOCKED` if a process is packing; the system's error
 */
export const lockToMakeArrays = (file: PackedFile): Promise<LockFile> =>
  awaitLockFile(lockOf(file), {
    about: { doing: 'making arrays' },
    onHeld: (lock) => {
      if (!isPacking(lock)) return
      throw new ConfigError(
        'RUN_LOCKED',
        `${packer(file, lock)}, and nothing is added to such files later; write to another file, or to a folder.`,
      )
    },
  })

/** The lock of those who pack. @returns undefined if the folder is gone: it has been packed */
export async function lockToPack(file: PackedFile, warn: (message: string) => void): Promise<LockFile | undefined> {
  let isSaid = false
  try {
    return await awaitLockFile(lockOf(file), {
      about: { doing: 'packing' },
      onHeld: (lock) => {
        if (isSaid || !isPacking(lock)) return
        isSaid = true
        warn(`${packer(file, lock)}: this run waits for it.`)
      },
    })
  } catch (error) {
    if (isMissingFile(error)) return undefined
    throw ioError('write', file.unfinished, error)
  }
}

/** Whether a run has packed the folder beside the file, and was killed before it had removed it. */
export function isLeft({ path, unfinished }: PackedFile): boolean {
  const [file, packed] = [path, join(unfinished, PACKED)].map((name) =>
    statSync(name, { bigint: true, throwIfNoEntry: false }),
  )
  return file !== undefined && packed !== undefined && file.ino === packed.ino && file.dev === packed.dev
}
