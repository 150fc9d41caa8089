import { opendir, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** Files that change without any voxel: those of metadata, and those that start with a dot. */
const METADATA = new Set(['zarr.json', 'attributes.json', 'info', 'provenance'])
const MAX_STATS = 64

/**
 * When the newest chunk of an array in a folder was written, ISO. This asks the file system about every chunk.
 * @returns undefined if there are no chunks
 * @throws whatever the file system throws
 */
export async function newestChunk(folder: string): Promise<string | undefined> {
  let newest = Number.NEGATIVE_INFINITY
  let waiting: Promise<void>[] = []
  const look = async (file: string) => {
    // Chunks of an array that is being written may be replaced meanwhile.
    const found = await stat(file).catch(() => undefined)
    if (found !== undefined) newest = Math.max(newest, found.mtimeMs)
  }
  for (const open = [folder]; open.length > 0; ) {
    const path = open.pop() as string
    for await (const entry of await opendir(path)) {
      if (entry.name.startsWith('.') || METADATA.has(entry.name)) continue
      if (entry.isDirectory()) open.push(join(path, entry.name))
      else waiting.push(look(join(path, entry.name)))
      if (waiting.length < MAX_STATS) continue
      await Promise.all(waiting)
      waiting = []
    }
  }
  await Promise.all(waiting)
  return newest === Number.NEGATIVE_INFINITY ? undefined : new Date(newest).toISOString()
}
