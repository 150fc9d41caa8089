import { closeSync } from 'node:fs'

/**
 * Closes a file of which nothing more is expected. Closing fails if the file system can't be reached any more, as network file systems may
 * be; whoever reads or writes has reported that.
 */
export function closeQuietly(file: number): void {
  try {
    closeSync(file)
  } catch {
    // Reported where it matters.
  }
}
