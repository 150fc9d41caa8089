import fs from 'node:fs'

/** Fills `target` from `position` of a file on; returns the number of bytes read, fewer at the end of the file. */
export function readFullySync(file: number, target: Uint8Array, position: number): number {
  let done = 0
  while (done < target.length) {
    const count = fs.readSync(file, target, done, target.length - done, position + done)
    if (count === 0) break
    done += count
  }
  return done
}
