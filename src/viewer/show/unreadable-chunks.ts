import type { Viewer } from 'neuroglancer/unstable/viewer.js'

// Neuroglancer counts chunks by their state (8, of which this is the 7th), by how urgent they are, and three things of each.
const FAILED = 6
const TIERS = 3
const COUNTS = 3

/** How many chunks could not be read or decoded, of the parts of each dataset that were looked at; by the dataset's number. */
export async function countUnreadable(viewer: Viewer): Promise<ReadonlyMap<number, number>> {
  const counts = new Map<number, number>()
  for (const [{ key }, statistics] of await viewer.chunkQueueManager.getStatistics()) {
    const dataset = /\/data\/(\d+)\//.exec(urlOf(key))?.[1]
    if (dataset === undefined) continue
    let failed = counts.get(Number(dataset)) ?? 0
    for (let tier = 0; tier < TIERS; tier++) failed += statistics[(FAILED * TIERS + tier) * COUNTS] ?? 0
    counts.set(Number(dataset), failed)
  }
  return counts
}

const urlOf = (key: unknown): string => {
  const { parameters } = (key ?? {}) as { readonly parameters?: { readonly url?: unknown } }
  return String(parameters?.url)
}
