import fs from 'node:fs'

// Calls that are handed to a thread. With callbacks, because the promises of node:fs double the cost of reading a 256 kB chunk from the
// page cache.

export const open = (path: string, flags: string | number): Promise<number> =>
  call<number>((done) => fs.open(path, flags, done))
export const close = (file: number): Promise<void> => call<void>((done) => fs.close(file, done))
export const stat = (file: number): Promise<fs.BigIntStats> =>
  call<fs.BigIntStats>((done) => fs.fstat(file, { bigint: true }, done))
export const rename = (from: string, to: string): Promise<void> => call<void>((done) => fs.rename(from, to, done))
export const sync = (file: number): Promise<void> => call<void>((done) => fs.fsync(file, done))

/** Fills `target` from `position` on; returns the number of bytes read, fewer at the end of the file. */
export async function readFully(file: number, target: Uint8Array, position: number): Promise<number> {
  let done = 0
  while (done < target.length) {
    const count = await call<number>((back) => {
      fs.read(file, target, done, target.length - done, position + done, back)
    })
    if (count === 0) break
    done += count
  }
  return done
}

/** @returns the position behind what was written */
export async function writeFully(file: number, part: Uint8Array, position: number): Promise<number> {
  let done = 0
  while (done < part.length) {
    done += await call<number>((back) => fs.write(file, part, done, part.length - done, position + done, back))
  }
  return position + done
}

/** Writes behind what was written before, at once. */
export function writeFullySync(file: number, part: Uint8Array): void {
  for (let done = 0; done < part.length; ) done += fs.writeSync(file, part, done, part.length - done)
}

function call<T>(start: (done: (error: NodeJS.ErrnoException | null, value?: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => start((error, value) => (error ? reject(error) : resolve(value as T))))
}
