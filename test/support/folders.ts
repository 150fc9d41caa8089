import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

/** Everything below a folder: the path of each file with the hash of its bytes, and the path of each folder with a `/` at the end. */
export function contentsOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((entry) => {
      const path = join(entry.parentPath, entry.name)
      const name = path.slice(folder.length + 1)
      if (entry.isDirectory()) return `${name}/`
      if (!entry.isFile()) return name
      return `${name} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`
    })
    .sort()
}

/** All files below a folder with their bytes. A file that a running program removes in the meantime is passed over. */
export function* filesBelow(folder: string): Generator<{ path: string; bytes: Buffer }> {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    let bytes: Buffer
    try {
      bytes = readFileSync(path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue
      throw error
    }
    yield { path, bytes }
  }
}

/** A separate disk. */
export interface SmallDisk extends Disposable {
  readonly path: string
  remount(options: string): void
}

/**
 * A small disk in memory, mounted in a folder. Skips the test if mounting is not permitted; CI must permit it.
 * @param size as for `mount`, such as 256k
 */
export function smallDiskOrSkip(t: TestContext, parent: string, size: string): SmallDisk | undefined {
  const path = join(parent, 'disk')
  mkdirSync(path)
  const mount = (...args: string[]) => void execFileSync('mount', args, { stdio: 'ignore' })
  try {
    mount('-t', 'tmpfs', '-o', `size=${size}`, 'bellis-test', path)
  } catch {
    if (process.env.CI) throw new Error('CI has to be able to mount a tmpfs for this test')
    t.skip('no right to mount a small tmpfs')
    return undefined
  }
  return {
    path,
    remount: (options) => mount('-o', `remount,${options}`, path),
    // A lazy unmount works even if a failed test left a process in the folder.
    [Symbol.dispose]: () => void execFileSync('umount', ['-l', path]),
  }
}

/** The number of stored chunks of a 3-D Zarr array. */
export const chunksIn = (path: string): number =>
  existsSync(path)
    ? readdirSync(path, { recursive: true }).filter((name) => /^c\/\d+\/\d+\/\d+$/.test(String(name))).length
    : 0
